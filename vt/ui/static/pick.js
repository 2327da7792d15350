// A click on a film in the list opens it; a film without a picture has none.
element.addEventListener('click', event => {
  const picked = event.target.closest('[data-open]');
  if (picked) trigger('select', {job: picked.dataset.open});
});
element.addEventListener('error', event => {
  if (event.target.matches?.('img')) event.target.hidden = true;
}, true);
