// Asks whether a notification may be shown, at the press of the button that offers it, which is there only where the browser
// can still be asked.
const offer = () => {
  for (const button of element.querySelectorAll('[data-notify]'))
    button.hidden = globalThis.Notification?.permission !== 'default';
};
element.addEventListener('click', async event => {
  if (!event.target.closest('[data-notify]')) return;
  await Notification.requestPermission();
  offer();
});
new MutationObserver(offer).observe(element, {childList: true, subtree: true});
offer();
