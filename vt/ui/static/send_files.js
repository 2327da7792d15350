// Sends the chosen files to the server one after the other, tells how far that is, and lets it be cancelled. What is too
// large, or one film too many, is not sent; what could not be sent is in the value of this element, for the server to say
// why in the page's own words. The limits come with the element, so that they hold from the first moment on.
const PLACES = '#vt-film, #vt-subtitles, #vt-glossary', MB = 2 ** 20;
const sending = new Set();
let place = null;
const panel = () => document.querySelector('#vt-sending [data-sending]');
const megabytes = bytes => (bytes / MB).toLocaleString(document.documentElement.lang,
  {minimumFractionDigits: 1, maximumFractionDigits: 1});
const draw = () => {
  const shown = panel(), under = [...sending];
  if (!shown) return;
  shown.hidden = !under.length;
  if (!under.length) return;
  const [all, sent] = ['all', 'sent'].map(part => under.reduce((sum, one) => sum + one[part], 0));
  const percent = all ? Math.floor(100 * Math.min(sent / all, 1)) : 0;
  // Of what the server fetches, it may not know how much it will be.
  const isKnown = under.every(one => one.all !== null);
  const bar = shown.querySelector('progress'), what = shown.querySelector('strong');
  what.textContent = bar.ariaLabel = what.dataset[under.at(-1).isFetched ? 'fetched' : 'sent'];
  shown.querySelector('[data-name]').textContent = under.at(-1).name;
  shown.querySelector('[data-amount]').textContent =
    shown.dataset.amount.replace('{sent}', megabytes(sent)).replace('{all}', isKnown ? megabytes(all) : '?');
  shown.querySelector('[data-percent]').textContent = isKnown ? `${percent} %` : '';
  bar.value = isKnown ? percent : 0;
};
// Asks with XMLHttpRequest, as fetch does not tell how much has been sent.
const send = (address, file, upload) => new Promise(resolve => {
  const request = new XMLHttpRequest(), form = new FormData(), before = upload.sent;
  form.append('files', file);
  const tell = bytes => {
    upload.sent = before + Math.min(bytes, file.size);
    draw();
  };
  request.upload.addEventListener('progress', event => tell(event.loaded));
  request.addEventListener('loadend', () => {
    tell(file.size);
    resolve(request);
  });
  request.open('POST', address);
  upload.request = request;
  request.send(form);
});
const sendAll = async (address, files) => {
  const upload = {all: files.reduce((sum, file) => sum + file.size, 0), sent: 0}, paths = [], failed = [];
  const isFilm = place === 'vt-film';
  sending.add(upload);
  for (const file of files) {
    upload.name = file.name;
    draw();
    const answer = await send(address, file, upload);
    if (upload.isCancelled) break;
    if (answer.status === 200) paths.push(...JSON.parse(answer.responseText));
    else failed.push({file: file.name, why: answer.status ? answer.responseText : ''});
  }
  sending.delete(upload);
  draw();
  if (failed.length) props.value = [...props.value ?? [], ...failed];
  // Nothing is chosen anew then, so that nobody else would have it looked at.
  if (failed.length && !paths.length && !isFilm) trigger('submit');
  return new Response(JSON.stringify(upload.isCancelled ? [] : paths), {headers: {'Content-Type': 'application/json'}});
};
const plainFetch = window.fetch;
window.fetch = (address, options) => {
  const isUpload = options?.body instanceof FormData && /\/gradio_api\/upload(\?|$)/.test(String(address));
  return isUpload ? sendAll(address, options.body.getAll('files')) : plainFetch(address, options);
};
document.addEventListener('click', event => {
  if (!event.target.closest?.('#vt-sending [data-cancel]')) return;
  for (const upload of sending) {
    upload.isCancelled = true;
    upload.request?.abort();
  }
});
// A film that the server fetches, as another script tells of it
document.addEventListener('vt-coming', event => {
  if (event.detail.isOver) sending.delete(event.detail);
  else sending.add(event.detail);
  draw();
});
// A film that the server has chosen, such as the sample
document.addEventListener('vt-chosen', () => trigger('submit'));
// Before they are sent
const sorted = files => {
  const room = place === 'vt-film' ? props.most_films - document.querySelectorAll('#vt-film .file-preview tr').length : 1;
  const refused = files.filter(file => file.size > props.most_bytes);
  const fit = files.filter(file => !refused.includes(file));
  const told = refused.map(file => ({file: file.name, megabytes: Math.ceil(file.size / MB)}));
  return {taken: fit.slice(0, room), told: [...told, ...fit.slice(room).map(file => ({file: file.name}))]};
};
const guard = (event, files, again) => {
  const box = event.target.closest?.(PLACES);
  if (!box || !files?.length || event.isSorted) return;
  place = box.id;
  const {taken, told} = sorted([...files]);
  props.value = told;
  if (!told.length) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const left = new DataTransfer();
  for (const file of taken) left.items.add(file);
  if (taken.length) again(left);
  else {
    if (event.target.files) event.target.value = '';
    else event.target.dispatchEvent(new DragEvent('dragleave', {bubbles: true}));
    trigger('submit');
  }
};
const pass = (target, event) => {
  event.isSorted = true;
  target.dispatchEvent(event);
};
document.addEventListener('change', event => guard(event, event.target.files, left => {
  event.target.files = left.files;
  pass(event.target, new Event('change', {bubbles: true}));
}), true);
document.addEventListener('drop', event => guard(event, event.dataTransfer?.files, left =>
  pass(event.target, new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: left}))), true);
// The picker of the system offers what is taken first; whatever else somebody picks or drops is looked at all the same.
// What was said of the last choice is of no use for the next one.
document.addEventListener('click', event => {
  for (const [box, kinds] of Object.entries(props.accepted)) {
    const input = event.target.closest?.(box)?.querySelector('input[type=file]');
    if (input) input.accept = kinds;
  }
  if (event.target.closest?.(`${PLACES}, #vt-sample`)) props.value = [];
}, true);
