// The page's address names what it shows: a tab, or a job. Back and forward lead from one to the other.
const FIRST = '#upload', JOB = /^#job\/(\w+)$/, PATIENCE_MS = 3000;
let asked = '', isFirst = true;
const tab = name => document.querySelector(`#vt-tabs [role=tab][data-tab-id="${CSS.escape(name)}"]`);
const here = () => location.hash || FIRST;
const shown = () => {
  const name = document.querySelector('#vt-tabs [role=tab][aria-selected=true]')?.dataset.tabId;
  return name === 'translate' && props.value?.view ? `#job/${props.value.view}` : `#${name}`;
};
const note = () => {
  const now = shown();
  if (now === asked || now === here()) asked = '';
  else if (!asked && isFirst) history.replaceState(null, '', now);
  else if (!asked) history.pushState(null, '', now);
  isFirst = false;
};
// While the page is on its way to an address, what it shows meanwhile is no place of its own.
const go = () => {
  const wanted = here(), job = JOB.exec(wanted)?.[1] ?? '';
  asked = wanted;
  setTimeout(() => { asked = ''; }, PATIENCE_MS);
  const name = job ? 'translate' : wanted.slice(1);
  if (tab(name)?.ariaSelected === 'false') tab(name).click();
  if (name === 'translate' && job !== props.value?.view) trigger('select', {job});
};
watch('value', () => setTimeout(note));
new MutationObserver(changes => {
  if (changes.some(one => one.target.dataset.tabId)) note();
}).observe(document.body, {subtree: true, attributes: true, attributeFilter: ['aria-selected']});
addEventListener('popstate', go);
