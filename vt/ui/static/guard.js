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
document.addEventListener('change', event => refuse(event, event.target.files), true);
document.addEventListener('drop', event => refuse(event, event.dataTransfer?.files), true);
