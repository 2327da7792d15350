// Moves the focus to the heading of what has taken the place of the element that had it, and not to that of the list. Puts a sentence of Gradio's,
// which it has in English alone, in the page's own words.
let last = null;
document.addEventListener('focusin', event => { last = event.target; });
const look = () => {
  const lost = element.querySelector('[data-lost]')?.dataset.lost;
  for (const told of lost ? document.querySelectorAll('[data-testid=toast-text]') : [])
    if (told.textContent.startsWith('Connection to the server was lost. Attempting')) told.textContent = lost;
  const active = document.activeElement;
  if (!last || (active !== document.body && active !== last) || (last.isConnected && last.checkVisibility())) return;
  const heading = [...document.querySelectorAll('#vt-tabs h2:not(.vt-yours *)')].find(one => one.checkVisibility());
  if (!heading) return;
  heading.tabIndex = -1;
  heading.focus();
};
new MutationObserver(look).observe(document.body,
  {childList: true, subtree: true, attributes: true, attributeFilter: ['class', 'style']});
