// Refuses a file that is too large before it is sent, in the page's own words. The limit comes with the element, so
// that it holds from the first moment on.
const refuse = (event, files) => {
  const large = event.target.closest?.('#vt-film, #vt-subtitles')
    && [...files ?? []].find(file => file.size > props.most_bytes);
  if (!large) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (event.target.files) event.target.value = '';
  else event.target.dispatchEvent(new DragEvent('dragleave', {bubbles: true}));
  trigger('submit', {file: large.name, megabytes: Math.ceil(large.size / 2 ** 20)});
};
// The picker of the system offers what is taken first; whatever else somebody picks or drops is looked at all the same.
document.addEventListener('click', event => {
  for (const [place, kinds] of Object.entries(props.accepted)) {
    const input = event.target.closest?.(place)?.querySelector('input[type=file]');
    if (input) input.accept = kinds;
  }
}, true);
document.addEventListener('change', event => refuse(event, event.target.files), true);
document.addEventListener('drop', event => refuse(event, event.dataTransfer?.files), true);
