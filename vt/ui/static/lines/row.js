// One line on the page: its times, who says it, what was heard, what is said, how much time there is for that, and what
// can be done with it.
import {button, clock, make, say} from './dom.js';
import {changedFields, isChanged, isUnsure} from './model.js';
import {ease, tempoOf} from './pace.js';

const HUES = 12;
const moment = field =>
  make('input', {'data-field': field, class: 'vt-moment', inputmode: 'decimal', maxlength: 12, autocomplete: 'off'});

export class RowDrawer {
  // `bench` has the words, the data and the state.
  constructor(bench) {
    this.bench = bench;
    this.shown = new WeakMap();
  }

  draw(key) {
    const {words, data} = this.bench;
    const text = (field, language) => make('textarea', {
      'data-field': field, class: `vt-${field}`, lang: language, dir: 'auto', rows: 2, maxlength: 2000,
      placeholder: words(field === 'text' ? 'silent' : 'unheard'),
    });
    const hear = which => button(words(which), {'data-hear-line': which, class: 'vt-hear-line'});
    return make('li', {'data-row': key, tabindex: -1},
      make('div', {class: 'vt-when'}, moment('start'), moment('end'), make('div', {class: 'vt-hears'}, hear('dub'), hear('original'))),
      ...data.several ? [make('select', {'data-field': 'speaker'})] : [],
      make('div', {class: 'vt-hearing'}, text('source_text', data.source.code), make('p', {class: 'vt-unsure', hidden: true})),
      make('div', {class: 'vt-saying'}, text('text', data.target.code),
        make('p', {class: 'vt-fit'}, make('span', {class: 'vt-tempo'}), make('span', {class: 'vt-fits'}), make('small'))),
      make('p', {class: 'vt-wrong', role: 'alert', hidden: true}));
  }

  update(element, index) {
    const {words, state, data} = this.bench, row = state.rows[index], number = index + 1;
    // With every key that is pressed all rows in sight are shown anew: those that are as they were are passed over.
    const shown = [row, index, this.bench.current === row.key, this.bench.clashes, state.speakers, this.bench.takes.shown,
      this.bench.fresh.has(row.key), this.bench.fresh.isAwaited(row.key)];
    if (this.shown.get(element)?.every((one, place) => one === shown[place])) return;
    this.shown.set(element, shown);
    const own = new Set(changedFields(row));
    element.className = data.several ? `vt-who-${row.speaker % HUES}` : '';
    element.classList.toggle('vt-changed', isChanged(row));
    element.classList.toggle('vt-current', this.bench.current === row.key);
    element.setAttribute('aria-label', words('line', {number, time: clock(row.start)}));
    for (const field of element.querySelectorAll('[data-field]')) {
      const name = field.dataset.field;
      const label = words(`${name}_of`, {number});
      if (field.ariaLabel !== label) field.ariaLabel = label;
      field.dataset.line = index;
      field.classList.toggle('vt-own', own.has(name));
      this.#fill(field, row[name], name);
    }
    for (const hear of element.querySelectorAll('[data-hear-line]')) {
      hear.ariaLabel = words(`hear_${hear.dataset.hearLine}`, {number});
      hear.disabled = !this.bench.canHear(row, hear.dataset.hearLine);
      hear.ariaBusy = String(hear.dataset.hearLine === 'dub' && this.bench.fresh.isAwaited(row.key));
    }
    this.#unsure(element, row);
    this.fit(element, row);
    this.#acts(element, row, index);
    this.#clashes(element, row);
    this.#takes(element, row);
  }
  #fill(field, value, name) {
    if (field.tagName === 'SELECT') {
      if (field.value !== String(value) || !field.options.length) this.fillChoice(field, value, false);
      return;
    }
    const shown = name === 'start' || name === 'end' ? clock(value, 2) : value;
    if (field.classList.contains('vt-moment') && field === document.activeElement && field.dataset.typed) return;
    if (field.value !== shown) field.value = shown;
  }
  // Fills the choice of who says a line; all names only when it is used: a long film has thousands of lines.
  fillChoice(choice, own, isWhole) {
    const {state, data, words} = this.bench;
    const names = state.speakers.map(one => [one.id, one.label]);
    if (names.length < data.most_speakers || own >= names.length) names.push([names.length, words('another_speaker')]);
    const listed = isWhole ? names : names.filter(([id]) => id === own);
    choice.replaceChildren(...listed.map(([id, name]) => new Option(name, id, id === own, id === own)));
  }

  #unsure(element, row) {
    const {words, number} = this.bench, mark = element.querySelector('.vt-unsure');
    mark.hidden = !isUnsure(row);
    say(mark, mark.hidden ? '' : words('unsure', {percent: number(100 * row.base.confidence, 0)}));
  }
  // Says whether there is time for a line.
  fit(element, row) {
    const {words, pace, number} = this.bench;
    const tempo = tempoOf(row, pace), kind = ease(tempo), [shown, fits, short] = element.querySelector('.vt-fit').children;
    const isSpoken = Boolean(row.text.trim());
    shown.className = `vt-tempo vt-${kind}`;
    say(shown, isSpoken ? `×${number(tempo, 2)}` : '');
    say(fits, isSpoken ? words(`fits_${kind}`) : '');
    shown.title = row.base?.hurried && !isChanged(row) ? row.base.hurried : '';
    const isShort = row.base?.shortened && row.base.text === row.text;
    say(short, isShort ? words('shortened') : '');
    short.title = isShort ? row.base.shortened : '';
  }

  // What can be done with a line is there for the one that is worked at.
  #acts(element, row, index) {
    const {words, current} = this.bench, shown = element.querySelector('.vt-acts');
    if (current !== row.key) {
      shown?.remove();
      return;
    }
    const acts = shown ?? element.appendChild(make('div', {class: 'vt-acts', role: 'group', 'aria-label': words('acts')},
      ...this.bench.acts.map(act => button(words(act), {'data-act': act}))));
    for (const act of acts.children) act.disabled = !this.bench.can(act.dataset.act, index);
  }
  #takes(element, row) {
    const {takes, state} = this.bench, before = element.querySelector('.vt-takes'), isShown = takes.shown.key === row.key;
    const drawn = [takes.shown, state.speakers];
    if (isShown && before && this.drawnTakes.every((one, place) => one === drawn[place])) return;
    before?.remove();
    if (!isShown) return;
    this.drawnTakes = drawn;
    element.append(takes.draw());
  }
  #clashes(element, row) {
    const {words, clashes} = this.bench, mine = clashes.filter(one => one.key === row.key);
    const told = JSON.stringify(mine), shown = element.querySelector('.vt-clash');
    if ((shown?.dataset.told ?? '[]') === told) return;
    shown?.remove();
    if (!mine.length) return;
    element.append(make('div', {class: 'vt-clash', 'data-told': told}, ...mine.map(({field, theirs}) => make('p', {},
      make('span', {dir: 'auto'}, words('theirs', {text: theirs})), button(words('take_theirs'), {'data-theirs': field})))));
  }
}
