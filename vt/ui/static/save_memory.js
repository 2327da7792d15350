// Keeps what changed in the browser's memory, beside what other tabs have kept meanwhile.
const KEY = 'vt-memory';
const stored = () => {
  try { return JSON.parse(localStorage.getItem(KEY)) ?? {}; } catch { return {}; }
};
watch('value', () => {
  const now = props.value;
  if (!Array.isArray(now?.jobs)) return;
  const gone = (window.vtKnown ?? []).filter(job => !now.jobs.includes(job));
  const others = (stored().jobs ?? []).filter(job => !gone.includes(job) && !now.jobs.includes(job));
  window.vtKnown = now.jobs;
  const jobs = [...now.jobs, ...others].slice(0, props.most_jobs);
  try {
    localStorage.setItem(KEY, JSON.stringify({jobs, view: now.view}));
    sessionStorage.setItem(KEY, now.view);
  } catch { /* a browser that keeps nothing for this page */ }
});
