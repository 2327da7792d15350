// Downloads of models are ended, and models removed from the disk, by buttons that bear what they do and the model's
// name; what cannot be undone is asked about first. The list is written anew as it changes: the focus stays.
let focused = '';
const mark = button => `[data-act="${button.dataset.act}"][data-name="${CSS.escape(button.dataset.name)}"]`;
element.addEventListener('click', event => {
  const button = event.target.closest('[data-act]');
  if (!button || (button.dataset.ask && !confirm(button.dataset.ask))) return;
  trigger('select', {act: button.dataset.act, name: button.dataset.name});
});
element.addEventListener('focusin', event => {
  const button = event.target.closest('[data-act]');
  focused = button ? mark(button) : '';
});
element.addEventListener('focusout', event => {
  if (event.relatedTarget) focused = '';
});
watch('value', () => setTimeout(() => {
  if (focused && document.activeElement === document.body) element.querySelector(focused)?.focus();
}));
