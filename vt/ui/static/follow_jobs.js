// Follows the jobs that are not over by one stream of server-sent events; without such a job there is none.
// The value says where the stream is, and what the page shows of each job (its mark). A message with another mark has
// the page drawn again by the server; one with the same mark brings the progress of the job that is looked at.
const FIRST_PAUSE_MS = 1000, LONGEST_PAUSE_MS = 30000, PATIENCE_MS = 2000;
let stream = null, timer = null, pause = FIRST_PAUSE_MS, asked = '', askedAt = 0;
const close = () => {
  clearTimeout(timer);
  stream?.close();
  stream = null;
};
// The title of the window tells how far the job is that is looked at; of one that is over a notification tells, if somebody
// has allowed it and looks elsewhere.
const TITLE = document.title;
const name = told => {
  if (told.percent !== undefined) document.title = `${told.percent} % · ${props.value.files[told.job]}`;
};
const notify = told => {
  const said = props.value.told[told.mark.replace(/\d+$/, '')];
  if (!said || !document.hidden || globalThis.Notification?.permission !== 'granted') return;
  const shown = new Notification(props.value.files[told.job] ?? TITLE, {body: said, tag: told.job});
  shown.addEventListener('click', () => window.focus());
};
// Has the page drawn again for a change, once; and once more where nothing has come of that.
const ask = change => {
  const now = performance.now();
  if (change === asked && now - askedAt < PATIENCE_MS) return;
  asked = change;
  askedAt = now;
  trigger('submit');
};
const open = () => {
  close();
  asked = '';
  const shown = props.value;
  document.title = TITLE;
  if (!shown?.address) return;
  stream = new EventSource(shown.address);
  stream.addEventListener('message', event => {
    const told = JSON.parse(event.data);
    if (told.mark !== shown.marks[told.job]) {
      notify(told);
      ask(`${told.job} ${told.mark}`);
      return;
    }
    pause = FIRST_PAUSE_MS;
    name(told);
    if (told.html) {
      window.vtProgress = [told.html, told.step];
      trigger('input');
    }
  });
  // The stream ended, or the server cannot be reached. Where it cannot, the event below has Gradio say so, and load the
  // page again once the server is back.
  stream.addEventListener('error', () => {
    close();
    timer = setTimeout(() => {
      open();
      trigger('submit');
    }, pause);
    pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
  });
};
watch('value', open);
open();
