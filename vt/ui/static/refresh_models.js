// Has the tab's contents looked up when it is opened, and again now and then as long as somebody sees it.
const PERIOD_MS = 2000;
let timer = null;
const look = () => { if (!document.hidden) trigger('submit'); };
new IntersectionObserver(entries => {
  clearInterval(timer);
  if (!entries.at(-1).isIntersecting) return;
  look();
  timer = setInterval(look, PERIOD_MS);
}).observe(element.closest('[role=tabpanel]'));
