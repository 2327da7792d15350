// A language may be typed: by its own name, by its name in the language of the page or in English, with or without accents,
// or by its code. What was typed and is none of the offered choices is looked up by the server when the field is left, and
// Start waits for the answer.
const FIELDS = '#vt-source, #vt-target', PATIENCE_MS = 5000;
let typed = null, isAsked = false, waiting = null, timer = null;
const answered = () => {
  clearTimeout(timer);
  isAsked = false;
  waiting = null;
};
const forget = () => { typed = null; };
// What was said of a language that is not there is of no use once another one is chosen.
const hideTrouble = isHidden => {
  const trouble = document.querySelector('#vt-start-trouble');
  if (trouble) trouble.hidden = isHidden;
};
const ask = field => {
  if (!typed || !typed.field.contains(field)) return;
  isAsked = true;
  hideTrouble(false);
  clearTimeout(timer);
  timer = setTimeout(answered, PATIENCE_MS);  // where no answer comes, Start can be pressed again
  trigger('select', {field: typed.field.id, typed: typed.text});
  forget();
};
document.addEventListener('focusin', event => {
  if (event.target.matches('input') && event.target.closest(FIELDS)) event.target.select();
});
document.addEventListener('input', event => {
  const field = event.target.closest(FIELDS);
  if (field && event.isTrusted) typed = event.target.value.trim() ? {field, text: event.target.value} : null;
});
// A choice from the list is Gradio's own matter.
document.addEventListener('mousedown', event => {
  if (!event.target.closest('[role=option]')) return;
  forget();
  hideTrouble(true);
}, true);
document.addEventListener('keydown', event => {
  const field = event.target.closest(FIELDS);
  if (!field || event.key !== 'Enter') return;
  if (field.querySelector('[role=option]')) {
    forget();
    return;
  }
  ask(field);
  event.target.blur();
}, true);
document.addEventListener('focusout', event => {
  const field = event.target.closest(FIELDS);
  if (field) ask(field);
}, true);
document.addEventListener('click', event => {
  const start = event.target.closest('#vt-start');
  if (start) hideTrouble(false);
  if (!start || !isAsked) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  waiting = start;
}, true);
watch('value', () => {
  const start = waiting;
  answered();
  if (props.value?.found) start?.click();
});
