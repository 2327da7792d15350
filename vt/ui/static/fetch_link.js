// Has the server fetch the film behind the link in this field. How far that is stands where uploads tell it (send_files.js),
// which lets it be cancelled, too. The film is chosen as if it had been uploaded; the link is kept nowhere.
const hearLines = async (answer, hear) => {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = '', part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (rest + part.value).split('\n');
    rest = lines.pop();
    for (const line of lines) hear(JSON.parse(line));
  }
};
const fetchFilm = async (link, coming, tell) => {
  const headers = {'Content-Type': 'application/json'}, {signal} = coming.request;
  const answer = await fetch('films/link', {method: 'POST', headers, body: JSON.stringify({link}), signal});
  if (!answer.ok) return {refused: await answer.text()};
  let last = {};
  await hearLines(answer, line => {
    last = line;
    if ('came' in line) Object.assign(coming, {sent: line.came, all: line.whole || null});
    tell();
  });
  return last;
};
const take = async (field, link, file) => {
  const coming = {name: file, all: null, sent: 0, isFetched: true, request: new AbortController()};
  const tell = () => document.dispatchEvent(new CustomEvent('vt-coming', {detail: coming}));
  let came = {};
  tell();
  try { came = await fetchFilm(link, coming, tell); } catch { /* it was cancelled, or broke off */ }
  coming.isOver = true;
  tell();
  if (coming.isCancelled) return;
  if (came.path) field.value = '';
  trigger('select', came.path ? {film: {path: came.path}} : {file, why: came.refused ?? ''});
};
element.addEventListener('submit', event => {
  event.preventDefault();
  const field = event.target.querySelector('input'), link = field.value.trim();
  if (!link) return;
  const file = link.replace(/^\w+:\/+/, '').split(/[/?#]/)[0].slice(0, 80);
  if (document.querySelectorAll('#vt-film .file-preview tr').length < props.most_films) take(field, link, file);
  else trigger('select', {file});
});
