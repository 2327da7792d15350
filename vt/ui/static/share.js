// Makes, copies and takes back the link by which others may see a dub. The page knows its own address better than the server.
const whole = () => {
  for (const field of element.querySelectorAll('[data-copy]')) field.value = new URL(field.getAttribute('value'), document.baseURI);
};
element.addEventListener('click', async event => {
  const button = event.target.closest('[data-link]');
  if (!button) return;
  if (button.dataset.link !== 'copy') {
    trigger('select', {link: button.dataset.link});
    return;
  }
  const field = element.querySelector('[data-copy]');
  field.select();
  try { await navigator.clipboard.writeText(field.value); } catch { return; /* it is selected, to be copied by hand */ }
  button.textContent = button.dataset.done;
});
watch('value', () => setTimeout(whole));
whole();
