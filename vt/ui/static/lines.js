// Has the workbench of a dub's lines opened, from modules of its own, and tells it whenever the page shows another job,
// version or state. One after the other: a module or an answer may be on its way still.
let bench = null, turn = Promise.resolve();
const tellBench = async () => {
  const told = props.value;
  if (told && !bench) {
    const {open} = await import(new URL(told.script, document.baseURI).href);
    bench = open(element, () => trigger('submit'));
  }
  if (told) await bench.show(told);
  else bench?.close();
};
const tellInTurn = () => { turn = turn.then(tellBench).catch(() => { /* the next change tries again */ }); };
watch('value', tellInTurn);
tellInTurn();
