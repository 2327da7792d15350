// Has the tab's contents looked up when it is opened, and again when the server tells that they changed, as long as
// somebody sees it. A tab in which nothing happens asks for nothing.
let stream = null, seen = false, opened = true;
const look = () => {
  trigger('submit', {opened});
  opened = false;
};
const close = () => {
  stream?.close();
  stream = null;
};
const follow = () => {
  close();
  if (!seen || document.hidden) return;
  stream = new EventSource(props.address);
  stream.addEventListener('message', look);
};
new IntersectionObserver(entries => {
  const now = entries.at(-1).isIntersecting;
  if (now === seen) return;
  seen = opened = now;
  follow();
}).observe(element.closest('[role=tabpanel]'));
document.addEventListener('visibilitychange', follow);
