// The lines that a save has spoken anew: each is heard as soon as it is spoken, while the film is still put together.
import {changedOf, isChanged, numbersOf} from './model.js';

const NOT_YET = 204;

export class Fresh {
  constructor(bench) {
    this.bench = bench;
    this.numbers = new Map();
    this.waiting = null;
  }
  // Takes note of what the server is asked to do: `changes`, the state that they are of, and the answer, when it comes.
  begin(changes, state, sending) {
    const {data} = this.bench, all = numbersOf(data.lines, state.rows, changes);
    const recast = new Set(state.speakers.filter(one => changedOf(one).includes('voice')).map(one => one.id));
    const spoken = state.rows.filter(row => row.text.trim() && (isChanged(row) || recast.has(row.speaker)));
    this.version = data.version;
    this.sending = sending;
    this.numbers = new Map(spoken.map(({key}) => [key, all.get(key)]));
    this.#show([...this.numbers.keys()]);
  }
  // Forgets them: they are in the film, or never will be. Returns the number of the line that somebody waits for; null: none.
  end() {
    const number = this.waiting && this.numbers.get(this.waiting.key), keys = [...this.numbers.keys()];
    this.numbers = new Map();
    this.waiting = null;
    this.#show(keys);
    return number ?? null;
  }
  has(key) { return this.numbers.has(key); }
  isAwaited(key) { return this.waiting?.key === key; }
  // Plays a line once it is spoken. One that is not spoken anew after all is heard in the film, when that is done.
  async play(key) {
    const before = this.waiting?.key, wanted = {key};
    this.hush();
    this.waiting = wanted;
    this.#show([before, key]);
    const sound = await this.#spoken(this.numbers.get(key), wanted);
    this.bench.askForNews();
    if (!sound || this.waiting !== wanted) return;
    this.waiting = null;
    this.#show([key]);
    this.sound = new Audio(URL.createObjectURL(sound));
    for (const name of ['ended', 'error']) this.sound.addEventListener(name, () => this.hush());
    try { await this.sound.play(); } catch { this.hush(); }
  }
  hush() {
    if (!this.sound) return;
    this.sound.pause();
    URL.revokeObjectURL(this.sound.src);
    this.sound = null;
  }
  // The server answers when a line is spoken; where that takes long it says so, and is asked again.
  async #spoken(number, wanted) {
    const {data} = this.bench, address = `films/${data.job}/fresh-lines/${number}?version=${this.version}`;
    try {
      let answer = await this.sending;
      while (answer.ok && this.waiting === wanted) {
        answer = await fetch(address);
        if (answer.ok && answer.status !== NOT_YET) return await answer.blob();
      }
    } catch { /* the film will tell */ }
    return null;
  }
  #show(keys) { for (const key of new Set(keys)) if (key) this.bench.showAgain(key); }
}
