// Counts the lines that were changed, sends them at one press, and plays the film from a line on.
const fields = () => [...element.querySelectorAll('textarea[data-line]')];
const changed = () => fields().filter(field => field.value !== field.defaultValue);
const count = () => {
  const lines = new Set(changed().map(field => field.dataset.line)).size;
  const said = element.querySelector('[data-none]'), save = element.querySelector('[data-save]');
  if (!save) return;
  save.disabled = !lines || save.dataset.busy === 'true';
  const text = lines === 0 ? said.dataset.none : lines === 1 ? said.dataset.one
    : said.dataset.many.replace('#', lines);
  if (said.textContent !== text) said.textContent = text;
};
element.addEventListener('input', event => {
  event.target.closest('tr')?.classList.toggle('vt-changed',
    [...event.target.closest('tr').querySelectorAll('textarea')].some(field => field.value !== field.defaultValue));
  count();
});
element.addEventListener('click', event => {
  const play = event.target.closest('[data-at]');
  if (play) {
    const film = document.querySelector('#vt-watch .vt-dub video, #vt-watch .vt-dub audio');
    if (film) { film.currentTime = Number(play.dataset.at); film.play(); }
  }
  const save = event.target.closest('[data-save]');
  if (!save || save.disabled) return;
  const lines = {};
  for (const field of changed()) {
    const line = lines[field.dataset.line] ??= {id: Number(field.dataset.line)};
    line[field.dataset.field] = field.value;
  }
  save.disabled = true;
  trigger('submit', {version: Number(element.querySelector('[data-version]').dataset.version),
                     lines: Object.values(lines)});
});
