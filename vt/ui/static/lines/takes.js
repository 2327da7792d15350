// The earlier takes of one line: what was spoken for it before it was changed, heard here and brought back.
import {button, make} from './dom.js';
import {sampleButton} from './speakers.js';

export class Takes {
  constructor(bench) {
    this.bench = bench;
    this.shown = {key: null, list: []};
  }
  // Asks for the takes of a row, or puts them away where they are shown.
  async toggle(row) {
    const {data} = this.bench;
    if (this.shown.key === row.key) return this.#show({key: null, list: []});
    this.#show({key: row.key, list: []});
    const address = `api/v1/jobs/${data.job}/segments/${row.base.id}/takes`, wanted = this.shown;
    let list = [];
    try {
      const answer = await fetch(address);
      if (answer.ok) list = (await answer.json()).takes;
    } catch { /* told below */ }
    if (this.shown !== wanted) return;
    list = list.filter(take => !take.is_present).map(take => ({...take, sound: `${address}/${take.id}/sound`}));
    this.#show({key: row.key, list, isTold: true});
  }
  #show(shown) {
    const before = this.shown;
    this.shown = shown;
    for (const key of new Set([before.key, shown.key])) this.bench.showAgain(key);
  }
  // Returns the state after a take was brought back: its words, who says them, and that speaker's voice.
  chosen(state, place, id) {
    const {text, speaker, voice} = this.shown.list.find(take => take.id === id);
    const {data} = this.bench, who = speaker ?? state.rows[place].speaker;
    const isKnown = data.voices.some(one => one.id === voice);
    return {
      rows: state.rows.map((row, at) => at === place ? {...row, text, speaker: who} : row),
      speakers: state.speakers.map(one => one.id === who && isKnown ? {...one, voice} : one),
    };
  }
  draw() {
    const {words} = this.bench, {list, isTold} = this.shown;
    const told = isTold && !list.length ? [make('p', {}, words('no_takes'))] : [];
    return make('div', {class: 'vt-takes', role: 'group', 'aria-label': words('takes')},
      ...told, ...list.map(take => this.#row(take)));
  }
  #row(take) {
    const {words, data, state} = this.bench, {target, voices} = data;
    const who = state.speakers.find(one => one.id === (take.speaker ?? 0));
    const voice = voices.find(one => one.id === take.voice)?.text ?? take.voice;
    const isOther = take.voice && who && who.voice !== take.voice && voices.some(one => one.id === take.voice);
    const hear = take.has_sound ? [sampleButton(words)] : [];
    for (const made of hear) {
      made.dataset.sample = take.sound;
      made.title = made.ariaLabel = `${words('hear')}: ${take.text}`;
    }
    return make('p', {}, make('span', {lang: target.code, dir: 'auto'}, take.text),
      make('small', {}, isOther ? words('take_voice', {voice}) : voice), ...hear,
      button(words('take_back'), {'data-take': take.id}));
  }
}
