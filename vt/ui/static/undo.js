// For a few seconds a removal can be taken back; then the offer goes, as the server has done it.
let timer = null;
const watched = () => {
  clearTimeout(timer);
  const offer = element.querySelector('[data-gone]');
  if (offer) timer = setTimeout(() => offer.remove(), 1000 * Number(offer.dataset.gone));
};
element.addEventListener('click', event => {
  const button = event.target.closest('[data-undo]');
  if (button) trigger('select', {job: button.dataset.undo});
});
watch('value', () => setTimeout(watched));
