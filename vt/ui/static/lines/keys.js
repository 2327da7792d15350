// What the keyboard does, and the help that lists it. Keys without Ctrl work while no field has the focus.
import {button, make} from './dom.js';

const KEYS = [
  ['Space', 'play'], ['↑ ↓', 'step'], ['Alt+↑ Alt+↓', 'step_field'], ['Enter', 'write'], ['Esc', 'leave'], ['← →', 'seek'], ['D', 'hear_dub'],
  ['O', 'hear_original'], ['E', 'edges'], ['Ctrl+Enter', 'save'], ['Ctrl+Z Ctrl+Shift+Z', 'undo'], ['/', 'search'], ['?', 'help'],
];

export class Help {
  constructor(words) {
    const rows = KEYS.flatMap(([keys, name]) =>
      [make('dt', {}, ...keys.split(' ').map(key => make('kbd', {}, key))), make('dd', {}, words(`key_${name}`))]);
    this.element = make('dialog', {class: 'vt-help', 'aria-label': words('help')}, make('h3', {}, words('help')), make('dl', {}, ...rows),
      button(words('close'), {class: 'vt-main'}, () => this.element.close()));
  }
  open() { this.element.showModal(); }
}

const FIELDS = 'input, textarea, select, [contenteditable]', PRESSED = 'button, a, summary, video, audio, [role=slider], [role=tab]';

// Listens to the keys of the page for as long as it lives.
export const listen = bench => {
  document.addEventListener('keydown', event => {
    const {target} = event, isHere = bench.root?.contains(target) || target === document.body;
    if (!bench.data || !isHere || event.defaultPrevented || event.isComposing || !bench.root.checkVisibility() || bench.help.element.open) return;
    const act = actOf(event, target.matches(FIELDS), target.matches(PRESSED));
    if (!act) return;
    event.preventDefault();
    ACTS[act](bench, event);
  });
};
const actOf = ({key, ctrlKey, metaKey, altKey, target}, isField, isPressed) => {
  const isCommand = ctrlKey || metaKey, name = key.length === 1 ? key.toLowerCase() : key;
  if (isCommand) {
    const isOwn = !isField || Boolean(target.dataset.field);
    return {Enter: 'save', z: isOwn && 'undo', y: isOwn && 'redo'}[name];
  }
  if (altKey) return {ArrowUp: 'before', ArrowDown: 'behind'}[name];
  if (name === 'Escape') return target.matches('.vt-edge') || (isField && target.closest('[data-row]')) ? 'leave' : null;
  if (isField) return null;
  if (isPressed && [' ', 'Enter', 'ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown'].includes(name)) return null;
  return {
    ' ': 'play', 'ArrowUp': 'before', 'ArrowDown': 'behind', 'Enter': 'write', 'ArrowLeft': 'back', 'ArrowRight': 'on', 'd': 'dub', 'o': 'original', 'e': 'edges',
    '/': 'search', '?': 'help',
  }[name];
};
const currentRow = bench => bench.table.elementOf(bench.current);
const hear = which => bench => {
  const place = bench.indexOf(bench.current);
  if (place >= 0) bench.hear(place, which);
};
const ACTS = {
  save: bench => bench.save(),
  undo: (bench, {shiftKey}) => shiftKey ? bench.redo() : bench.undo(),
  redo: bench => bench.redo(),
  before: bench => bench.step(-1),
  behind: bench => bench.step(1),
  leave: bench => currentRow(bench)?.focus(),
  play: bench => bench.player.toggle(),
  write: bench => currentRow(bench)?.querySelector('[data-field=text]').focus(),
  edges: bench => bench.chart.takeEdges(),
  back: bench => bench.player.step(-1),
  on: bench => bench.player.step(1),
  dub: hear('dub'),
  original: hear('original'),
  search: bench => bench.tools.search.focus(),
  help: bench => bench.help.open(),
};
