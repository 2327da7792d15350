// Where a browser plays a film's sound but cannot show its picture, the page says so and offers a copy that it can show. While
// that is made it is asked for now and then; once it is there the player of the dub shows it.
const PERIOD_MS = 2000;
const isBlack = film => film.matches('video') && film.readyState > 0 && !film.videoWidth;
const dub = () => document.querySelector('#vt-job video[data-film=dub], #vt-job .vt-dub video');
const show = () => {
  const film = dub(), told = element.querySelector('[data-copy-state]');
  if (!told) return;
  const {copyState: state, address} = told.dataset;
  told.hidden = state === 'done' || !film || !isBlack(film);
  if (state === 'done' && film && isBlack(film) && !film.src.includes(address)) film.src = address;
  if (state === 'running') setTimeout(() => trigger('select', {}), PERIOD_MS);
};
document.addEventListener('loadedmetadata', event => {
  if (event.target === dub()) show();
}, true);
element.addEventListener('click', event => {
  if (event.target.closest('[data-make-copy]')) trigger('submit', {});
});
watch('value', () => setTimeout(show));
