// The speakers: their names and voices, with a sample of the voice and the longest thing that each says in the film.
import {button, clock, make} from './dom.js';

const HUES = 12;

// Returns the element; none where one person speaks in the only voice that there is. `change(id, fields)` is told of what
// is typed or chosen, `hear(from, until)` plays a stretch of the original.
export const speakersOf = (bench, change, hear) => {
  const {data, state, words} = bench;
  if (!data.several && data.voices.length < 2) return null;
  const rows = state.speakers.map(one => speaker(bench, one, change, hear));
  const element = make('section', {class: 'vt-speakers', 'aria-label': words('speakers')},
    make('h4', {}, words('speakers')), make('p', {}, words('speakers_hint')), make('ul', {}, ...rows));
  element.addEventListener('input', ({target}) =>
    change(Number(target.closest('[data-row]').dataset.row.split('-')[1]), {[target.dataset.field]: target.value}));
  return element;
};

const speaker = ({data, words}, one, change, hear) => {
  const lines = data.lines.filter(line => !data.several || line.speaker === one.id);
  const longest = lines.reduce((best, line) => !best || line.end - line.start > best.end - best.start ? line : best, null);
  const seconds = lines.reduce((sum, line) => sum + line.end - line.start, 0), number = one.id + 1;
  const name = data.several ? [
    make('input', {'data-speaker': one.id, 'data-field': 'label', value: one.label, maxlength: 80, dir: 'auto', 'aria-label': words('name_of_speaker', {number})}),
    make('small', {}, clock(seconds))] : [];
  const voice = data.voices.length > 1 ? [
    make('select', {'data-speaker': one.id, 'data-field': 'voice', 'aria-label': words('voice_of_speaker', {number})},
      ...data.voices.map(({id, text}) => new Option(text, id, id === one.voice, id === one.voice))),
    sampleButton(words)] : [];
  const original = longest ? [button('', {class: 'vt-play', 'aria-label': words('hear_speaker', {name: one.label || number})},
    () => hear(longest.start, longest.end))] : [];
  for (const made of original) made.append(make('i', {'aria-hidden': 'true'}), make('span', {}, words('original')));
  const row = make('li', {'data-row': `speaker-${one.id}`, class: `vt-who-${one.id % HUES}`},
    make('i', {'aria-hidden': 'true'}), ...name, ...voice, ...original);
  return row;
};
// Returns a button that plays what its `data-sample` names.
export const sampleButton = words => {
  const made = button('', {class: 'vt-play', 'data-hear': words('hear'), 'data-hush': words('hush'), 'data-sample': ''});
  made.append(make('i', {'aria-hidden': 'true'}), make('span', {}, words('hear')));
  return made;
};

// Shows the speakers as they are in the state.
export const updateSpeakers = (element, {data, state, words}) => {
  for (const one of state.speakers) {
    const row = element?.querySelector(`[data-row="speaker-${one.id}"]`);
    for (const field of row?.querySelectorAll('[data-field]') ?? []) {
      if (field.value !== one[field.dataset.field]) field.value = one[field.dataset.field];
    }
    row?.classList.toggle('vt-changed', one.label !== one.base.label || one.voice !== one.base.voice);
    const sample = row?.querySelector('[data-sample]'), voice = data.voices.find(({id}) => id === one.voice);
    if (sample && voice) {
      sample.dataset.sample = voice.sample;
      sample.title = sample.ariaLabel = `${words('hear')}: ${voice.text}`;
    }
  }
};
