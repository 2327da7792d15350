(...given) => {
  // Asks before something is removed for good. Where it is not to be removed, the server is given no job.
  return confirm(document.querySelector('[data-sure]').dataset.sure) ? given : [null];
}
