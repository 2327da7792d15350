// One player plays at a time; one that the browser cannot play says so.
element.addEventListener('error', event => {
  if (event.target.matches?.('video, audio')) event.target.closest('figure')?.classList.add('vt-unplayable');
}, true);
element.addEventListener('play', event => {
  for (const other of element.querySelectorAll('video, audio')) if (other !== event.target) other.pause();
}, true);
