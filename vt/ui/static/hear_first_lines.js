// Plays the first lines of a dub that is still being made, one after the other; the next press stops them. The button is
// drawn anew with each progress, and says at any time what it would do.
let playing = null, addresses = [];
const first = () => element.querySelector('[data-first-lines]');
const sayWhat = () => {
  const button = first(), text = button?.querySelector('span');
  if (!text) return;
  const wanted = playing ? button.dataset.hush : button.dataset.hear;
  if (text.textContent !== wanted) text.textContent = wanted;
  button.classList.toggle('vt-playing', Boolean(playing));
};
const stop = () => {
  playing?.pause();
  playing = null;
  sayWhat();
};
const play = async place => {
  addresses = first()?.dataset.firstLines.split(' ') ?? addresses;
  const address = addresses[place];
  if (!address) {
    stop();
    return;
  }
  const line = new Audio(address);
  playing = line;
  line.addEventListener('ended', () => { if (playing === line) play(place + 1); });
  sayWhat();
  try { await line.play(); } catch { if (playing === line) stop(); }
};
element.addEventListener('click', event => {
  if (!event.target.closest('[data-first-lines]')) return;
  if (playing) stop();
  else play(0);
});
new MutationObserver(sayWhat).observe(element, {childList: true, subtree: true});
