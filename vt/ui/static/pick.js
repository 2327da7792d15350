// A click on a film in the list opens it.
element.addEventListener('click', event => {
  const picked = event.target.closest('[data-open]');
  if (picked) trigger('select', {job: picked.dataset.open});
});
