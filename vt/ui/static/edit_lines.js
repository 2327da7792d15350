// Counts the lines and speakers that were changed, sends them at one press, and plays the films from a line on.
const fields = () => [...element.querySelectorAll('[data-field]')];
const isChanged = field => field.value !== (field.dataset.was ?? field.defaultValue);
const changed = () => fields().filter(isChanged);
const count = () => {
  const rows = new Set(changed().map(field => field.closest('[data-row]').dataset.row)).size;
  const said = element.querySelector('[data-none]'), save = element.querySelector('[data-save]');
  if (!save) return;
  save.disabled = !rows || save.dataset.busy === 'true';
  const text = rows === 0 ? said.dataset.none : rows === 1 ? said.dataset.one
    : said.dataset.many.replace('#', rows);
  if (said.textContent !== text) said.textContent = text;
};
// The choice of who says a line is filled when it is first used: a long film has thousands of lines.
const fill = choice => {
  if (choice.options.length > 1) return;
  const {next, another} = element.querySelector('.vt-speakers').dataset;
  const names = [...element.querySelectorAll('input[data-speaker]')].map(one => [one.dataset.speaker, one.value]);
  if (next) names.push([next, another]);
  const own = choice.value;
  choice.replaceChildren(...names.map(([id, name]) => new Option(name, id, id === own, id === own)));
};
const offerSample = choice => {
  const button = choice.parentElement.querySelector('[data-sample]'), voice = choice.selectedOptions[0];
  if (!button || !voice) return;
  button.dataset.sample = voice.dataset.address;
  button.title = button.ariaLabel = `${button.dataset.hear}: ${voice.textContent}`;
};
const playPart = (selector, from, until) => {
  const film = document.querySelector(`#vt-watch ${selector} video, #vt-watch ${selector} audio`);
  if (!film) return;
  film.currentTime = from;
  film.play();
  if (until === undefined) return;
  const stop = () => {
    if (film.currentTime < until && film.currentTime >= from - 1 && !film.paused) return;
    if (film.currentTime >= until) film.pause();
    film.removeEventListener('timeupdate', stop);
  };
  film.addEventListener('seeked', () => film.addEventListener('timeupdate', stop), {once: true});
};
element.addEventListener('focusin', event => {
  if (event.target.matches('select[data-line]')) fill(event.target);
});
element.addEventListener('pointerdown', event => {
  if (event.target.matches('select[data-line]')) fill(event.target);
});
element.addEventListener('input', event => {
  const row = event.target.closest('[data-row]');
  row?.classList.toggle('vt-changed', [...row.querySelectorAll('[data-field]')].some(isChanged));
  if (event.target.dataset.field === 'voice') offerSample(event.target);
  count();
});
element.addEventListener('click', event => {
  const play = event.target.closest('[data-at]'), original = event.target.closest('[data-original]');
  if (play) playPart('.vt-dub', Number(play.dataset.at));
  if (original) playPart('.vt-original', Number(original.dataset.original), Number(original.dataset.until));
  const save = event.target.closest('[data-save]');
  if (!save || save.disabled) return;
  const lines = {}, speakers = {};
  for (const field of changed()) {
    const {line, speaker} = field.dataset, id = Number(line ?? speaker);
    const one = line === undefined ? speakers[id] ??= {id} : lines[id] ??= {id};
    one[field.dataset.field] = field.dataset.field === 'speaker' ? Number(field.value) : field.value;
  }
  save.disabled = true;
  trigger('submit', {version: Number(element.querySelector('[data-version]').dataset.version),
                     lines: Object.values(lines), speakers: Object.values(speakers)});
});
