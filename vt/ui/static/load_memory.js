() => {
  // Returns what this browser remembers, what this tab of it looked at last or what its address names, and which film was
  // about to be dubbed.
  const KEY = 'vt-memory';
  let kept = {}, subject = null;
  try { kept = JSON.parse(localStorage.getItem(KEY)) ?? {}; } catch { /* without a memory it works too */ }
  let view = kept.view;
  try {
    view = sessionStorage.getItem(KEY) ?? view;
    subject = JSON.parse(sessionStorage.getItem('vt-subject'));
  } catch { /* the same */ }
  const [, place, job] = /^#(\w+)(?:\/(\w+))?$/.exec(location.hash) ?? [];
  if (place) view = job ?? '';
  window.vtKnown = kept.jobs ?? [];
  return [{jobs: window.vtKnown, view, subject, place}];
}
