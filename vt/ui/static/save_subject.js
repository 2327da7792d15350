// Keeps which film is about to be dubbed, so that this tab of the browser has it again after the page was loaded anew.
watch('value', () => {
  try {
    if (props.value) sessionStorage.setItem('vt-subject', JSON.stringify(props.value));
    else sessionStorage.removeItem('vt-subject');
  } catch { /* a browser that keeps nothing for this page */ }
});
