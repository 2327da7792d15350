// One press plays a sample of a voice, the next one stops it. Where it cannot be played, the page is told what the
// server said.
let sound = null, pressed = null, hasTold = false;
const show = playing => {
  pressed.classList.toggle('vt-playing', playing);
  pressed.ariaLabel = playing ? pressed.dataset.hush : pressed.title;
  pressed.querySelector('span').textContent = playing ? pressed.dataset.hush : pressed.dataset.hear;
};
const hush = () => {
  if (!sound) return;
  sound.pause();
  URL.revokeObjectURL(sound.src);
  show(false);
  sound = null;
};
element.addEventListener('click', async event => {
  const button = event.target.closest('[data-sample]');
  if (!button || button.ariaBusy === 'true') return;
  const again = sound && pressed === button;
  hush();
  if (again) return;
  button.ariaBusy = 'true';
  let told = '';
  try {
    const answer = await fetch(button.dataset.sample);
    if (!answer.ok) {
      told = (await answer.json()).detail;
      throw new Error(told);
    }
    const spoken = new Audio(URL.createObjectURL(await answer.blob()));
    spoken.addEventListener('ended', hush);
    if (!button.isConnected) return;
    sound = spoken;
    pressed = button;
    show(true);
    await spoken.play();
    if (hasTold) trigger('input', {heard: true});
    hasTold = false;
  } catch (failure) {
    const byHand = failure.name === 'AbortError';
    hush();
    if (!byHand) {
      hasTold = true;
      trigger('input', {said: told});
    }
  } finally {
    button.ariaBusy = 'false';
  }
});
