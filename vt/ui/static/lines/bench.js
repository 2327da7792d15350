// The workbench of one dub: its player, its chart and its lines. It holds the state, a list of rows that is never
// changed but replaced, so that undo is the list before; what is changed is kept as drafts until a dub has it.
import {Ahead} from './ahead.js';
import {Chart} from './chart.js';
import {button, clock, make, secondsOf, wordsOf} from './dom.js';
import {Drafts, applied, entriesOf, storageHere} from './drafts.js';
import {Fresh} from './fresh.js';
import {Help, listen} from './keys.js';
import {areTimes, asked, countOf, inserted, isChanged, joined, middle, moved, removed, reverted, split, withRow} from './model.js';
import {paceOf} from './pace.js';
import {Player} from './player.js';
import {RowDrawer} from './row.js';
import {SaveBar} from './save_bar.js';
import {found, replaced} from './search.js';
import {speakersOf, updateSpeakers} from './speakers.js';
import {Table} from './table.js';
import {Takes} from './takes.js';
import {Tools} from './tools.js';

const DRAFT_MS = 300, TYPING_MS = 1500, MOST_UNDONE = 200;
// So long the page may be without news of a job that was sent: to ask for them takes the processor from the voice.
const NEWS_MS = 1000;

export const open = (host, redraw) => new Bench(host, redraw);

class Bench {
  // `redraw` has the page ask the server how the job stands.
  constructor(host, redraw) {
    this.host = host;
    this.redraw = redraw;
    this.acts = ['split', 'join', 'insert', 'remove', 'revert', 'takes'];
    this.told = {};
    this.isSaving = false;
    this.fresh = new Fresh(this);
    this.ahead = new Ahead(this);
    addEventListener('beforeunload', event => {
      this.#keep();
      if (this.data && this.isUnsaved) event.preventDefault();
    });
    addEventListener('pagehide', () => this.#keep());
    listen(this);
  }

  // Shows a job as the page tells of it: its address, version and state. A new version has elements of its own, so that
  // nothing that was typed into another one's can stay in them.
  async show(told) {
    const before = this.told;
    this.told = told;
    if (this.data && before.job === told.job && before.version === told.version && this.host.contains(this.root)) {
      if (told.over && !before.over) this.#ended();
      this.#count();
      return;
    }
    const isOther = before.job !== told.job;
    this.#keep();
    if (isOther) {
      this.fresh.hush();
      this.#clear();
    }
    await this.#load(isOther);
  }
  close() {
    this.#keep();
    this.fresh.hush();
    this.#clear();
    this.told = {};
  }
  #clear() {
    this.fresh.end();
    this.ahead.stop();
    this.player?.close();
    this.table?.close();
    this.chart?.close();
    this.root?.remove();
    this.data = this.root = this.player = this.table = this.chart = null;
  }
  // The job is over, and its results are those from before: what was to be done is still to be done.
  #ended() {
    this.sent = null;
    this.fresh.end();
    if (this.count) this.bar.refuse(this.words('not_done'));
  }

  async #load(isOther) {
    const {address, job, version} = this.told;
    let data = null;
    try {
      const answer = await fetch(address);
      if (answer.ok) data = await answer.json();
    } catch { /* told below */ }
    if (this.told.job !== job || this.told.version !== version) return false;
    if (data) this.#build(data, isOther);
    else if (!this.data) this.#unreached();
    return Boolean(data);
  }
  #unreached() {
    const again = () => { this.root.remove(); this.#load(true); };
    this.root = make('div', {class: 'vt-bench'}, button('↻', {class: 'vt-again'}, again));
    this.host.append(this.root);
  }

  #build(data, isOther) {
    const focus = this.data && this.#focus(), at = this.player && [this.player.which, this.player.time];
    const wanted = !isOther && this.tools?.wanted, awaited = isOther ? null : this.fresh.end();
    this.#clear();
    this.data = data;
    this.told = {...this.told, version: data.version};
    this.words = wordsOf(data.words, data.language);
    this.number = (value, places) => value.toLocaleString(data.language, {minimumFractionDigits: places, maximumFractionDigits: places});
    this.pace = paceOf(data.lines);
    this.drafts = new Drafts(storageHere(), data.job);
    const {rows, speakers, clashes, count} = applied(data.lines, data.speakers, this.drafts.read());
    this.state = {rows, speakers};
    this.clashes = clashes;
    [this.past, this.future, this.current, this.sent, this.lit] = [[], [], null, null, null];
    this.takes = new Takes(this);
    this.#assemble();
    if (wanted) this.tools.set(wanted);
    else this.#filter();
    this.#refresh();
    if (at) { this.player.switchTo(at[0]); this.player.seek(at[1]); }
    if (focus) this.#refocus(focus);
    this.#keep();
    if (awaited !== null && rows[this.indexOf(`line ${awaited}`)]) this.hear(this.indexOf(`line ${awaited}`), 'dub');
    if (count) this.bar.refuse(clashes.length ? this.words('clashes', {count: clashes.length}) : this.words('restored'));
  }
  #assemble() {
    const {data, words} = this;
    this.player = new Player(data, words, (seconds, which, isPlaying) => this.#playing(seconds, which, isPlaying));
    this.bar = new SaveBar(words, {save: () => this.save(), undo: () => this.undo(), discard: () => this.discard()});
    this.tools = new Tools(words, data.several ? data.speakers : [], data.lines.some(line => line.confidence !== null), {
      filter: () => this.#filter(), replace: (some, others) => this.#replace(some, others), help: () => this.help.open(),
    });
    this.help = new Help(words);
    this.speakers = speakersOf(this, (id, fields) => this.#speaker(id, fields), (from, until) => this.player.play('original', from, until));
    this.chart = new Chart(this);
    const list = make('div', {class: `vt-rows${data.several ? ' vt-several' : ''}`});
    const drawer = new RowDrawer(this);
    this.drawer = drawer;
    this.table = new Table(list, key => drawer.draw(key), (element, place) => drawer.update(element, place));
    this.#hear(list);
    const head = make('div', {class: 'vt-rows-head', 'aria-hidden': 'true'},
      ...['time', ...data.several ? ['speaker'] : [], 'heard', 'said'].map(name => make('span', {}, words(name))));
    this.root = make('div', {class: 'vt-bench', 'data-version': data.version},
      make('div', {class: 'vt-stage-place'}, this.player.element), this.chart.element,
      make('section', {class: 'vt-card vt-lines', 'data-version': data.version, 'aria-label': words('lines')},
        make('h3', {}, words('lines')), make('p', {}, words('hint')), ...this.speakers ? [this.speakers] : [],
        this.tools.element, head, list, this.bar.element), this.help.element);
    this.host.append(this.root);
    this.player.watchPlace();
  }

  // What the lines say of what happens to them

  #hear(list) {
    list.addEventListener('input', ({target}) => this.#typed(target));
    list.addEventListener('change', ({target}) => { if (target.matches('.vt-moment')) this.#timed(target); });
    list.addEventListener('focusin', ({target}) => {
      if (target.closest('[data-row]')) this.select(target.closest('[data-row]').dataset.row);
      if (target.tagName === 'SELECT') this.drawer.fillChoice(target, Number(target.value), true);
    });
    list.addEventListener('pointerdown', ({target}) => {
      if (target.tagName === 'SELECT' && target.options.length < 2) this.drawer.fillChoice(target, Number(target.value), true);
    });
    list.addEventListener('click', ({target}) => this.#pressed(target));
    list.addEventListener('focusout', ({target}) => {
      if (target.tagName !== 'TEXTAREA') return;
      this.caret = {key: target.closest('[data-row]').dataset.row, field: target.dataset.field, at: target.selectionStart};
    });
  }
  #placeOf(target) { return this.indexOf(target.closest('[data-row]').dataset.row); }
  #typed(field) {
    if (field.matches('.vt-moment')) {
      field.dataset.typed = 'yes';
      return;
    }
    const name = field.dataset.field, place = this.#placeOf(field), row = this.state.rows[place];
    const value = name === 'speaker' ? Number(field.value) : field.value;
    this.change({rows: withRow(this.state.rows, place, {[name]: value})}, `${row.key} ${name}`);
  }
  #timed(field) {
    const place = this.#placeOf(field), row = this.state.rows[place], name = field.dataset.field;
    const seconds = secondsOf(field.value), times = {start: row.start, end: row.end, [name]: seconds};
    const isRight = seconds !== null && areTimes(this.state.rows, place, this.data.seconds, times.start, times.end);
    const wrong = field.closest('[data-row]').querySelector('.vt-wrong');
    field.setAttribute('aria-invalid', !isRight);
    wrong.hidden = isRight;
    wrong.textContent = isRight ? '' : this.words('bad_time');
    if (!isRight) return;
    delete field.dataset.typed;
    if (clock(seconds, 2) === clock(row[name], 2)) field.value = clock(row[name], 2);
    else this.change({rows: withRow(this.state.rows, place, {[name]: seconds})});
  }
  #pressed(target) {
    const {hearLine, act, theirs, take} = target.dataset;
    if (!target.closest('[data-row]')) return;
    const place = this.#placeOf(target);
    if (hearLine) this.hear(place, hearLine);
    if (act) this.act(act, place);
    if (take) this.change(this.takes.chosen(this.state, place, take));
    if (theirs) {
      const row = this.state.rows[place];
      this.clashes = this.clashes.filter(one => one.key !== row.key || one.field !== theirs);
      this.change({rows: withRow(this.state.rows, place, {[theirs]: row.base[theirs]})});
    }
  }
  #speaker(id, fields) {
    const speakers = this.state.speakers.map(one => one.id === id ? {...one, ...fields} : one);
    this.change({speakers}, `speaker ${id} ${Object.keys(fields)}`);
  }

  // The state

  indexOf(key) { return this.state.rows.findIndex(row => row.key === key); }
  get changes() { return asked(this.data.lines, this.state); }
  get isUnsaved() { return this.count > 0 && !this.isSent; }
  // Replaces the state, or a part of it. Changes of the same name that follow one another are undone together.
  change(parts, name = '') {
    const now = performance.now();
    if (!name || name !== this.lastName || now - this.lastAt > TYPING_MS) this.past = [...this.past, this.state].slice(-MOST_UNDONE);
    [this.lastName, this.lastAt, this.future] = [name, now, []];
    this.#become({...this.state, ...parts});
  }
  #become(state) {
    const isCut = state.rows.length !== this.state.rows.length || state.rows.some((row, place) => row.key !== this.state.rows[place].key);
    this.state = state;
    if (isCut) this.#filter();
    this.#refresh();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#keep(), DRAFT_MS);
    this.ahead.wait();
  }
  undo() {
    if (!this.past.length) return;
    this.future.push(this.state);
    this.lastName = '';
    this.#become(this.past.pop());
  }
  redo() {
    if (!this.future.length) return;
    this.past.push(this.state);
    this.lastName = '';
    this.#become(this.future.pop());
  }
  discard() {
    this.bar.refuse('');
    const {rows, speakers} = applied(this.data.lines, this.data.speakers, {});
    this.clashes = [];
    this.change({rows, speakers});
  }
  // Keeps what is changed in the browser.
  #keep() {
    clearTimeout(this.timer);
    if (!this.data) return;
    if (!this.drafts.write(entriesOf(this.data.lines, this.state))) this.bar.refuse(this.words('not_kept'));
  }

  // What is shown

  #filter() {
    if (!this.data) return;
    const {rows} = this.state;
    const places = this.tools.isFiltering ? found(rows, this.tools.wanted, this.pace) : rows.map((_, place) => place);
    this.matching = places.map(place => rows[place].key);
    this.tools.show(places.length, rows.length);
    this.#list();
  }
  #list() {
    const at = new Map(this.state.rows.map((row, place) => [row.key, place]));
    const keys = this.matching.filter(key => at.has(key));
    this.table.show(keys, keys.map(key => at.get(key)));
  }
  #refresh() {
    this.#list();
    updateSpeakers(this.speakers, this);
    this.chart.draw();
    this.#count();
  }
  #count() {
    const {changes} = this;
    this.count = countOf(changes);
    this.isSent = this.sent !== null && JSON.stringify(changes) === this.sent;
    this.bar.show({
      count: this.count, isOver: this.told.over, isSaving: this.isSaving, canUndo: this.past.length > 0, isSent: this.isSent,
    });
  }
  #replace(some, others) {
    const [rows, count] = replaced(this.state.rows, some, others);
    if (count) this.change({rows});
    return count;
  }
  // Shows the lines of a kind.
  only(kind) {
    this.tools.set({words: '', kind, speaker: ''});
    this.tools.element.scrollIntoView({block: 'center'});
  }

  // One line

  select(key) {
    if (this.current === key) return;
    const before = this.current;
    this.current = key;
    for (const one of [before, key]) this.showAgain(one);
    this.chart.draw();
  }
  // Shows a row as it is now, where it is drawn.
  showAgain(key) {
    const element = key && this.table.elementOf(key), place = key ? this.indexOf(key) : -1;
    if (element && place >= 0) this.drawer.update(element, place);
  }
  // Moves to the line before or behind the current one, among those that are shown.
  step(direction) {
    const keys = this.table.keys, place = keys.indexOf(this.current);
    const key = keys[place < 0 ? 0 : Math.max(0, Math.min(keys.length - 1, place + direction))];
    if (key) this.goTo(key);
  }
  goTo(key) {
    if (!this.table.keys.includes(key)) this.tools.set({words: '', kind: '', speaker: ''});
    this.table.reveal(key)?.focus({preventScroll: true});
    this.select(key);
  }
  // A line that is being spoken anew is heard as it is then, any other one in the film.
  hear(place, which) {
    const row = this.state.rows[place];
    if (!this.canHear(row, which)) return;
    if (which === 'dub' && this.fresh.has(row.key)) {
      this.player.pause();
      this.fresh.play(row.key);
    } else if (which === 'dub') this.player.play('dub', row.base.from, row.base.until);
    else this.player.play('original', row.start, row.end);
  }
  canHear(row, which) { return which === 'original' || Boolean(row.base) || this.fresh.has(row.key); }
  can(act, place) {
    const {rows} = this.state, row = rows[place];
    if (act === 'split') return this.#cut(place) !== null;
    if (act === 'join') return place + 1 < rows.length;
    if (act === 'insert') return inserted(rows, place, this.data.seconds) !== null;
    if (act === 'remove') return rows.length > 1;
    if (act === 'takes') return row.base?.takes > 0;
    return Boolean(row.base) && isChanged(row);
  }
  act(act, place) {
    const {rows} = this.state, {key} = rows[place];
    if (act === 'takes') return this.takes.toggle(rows[place]);
    const made = {
      split: () => this.#cut(place), join: () => joined(rows, place), insert: () => inserted(rows, place, this.data.seconds),
      remove: () => removed(rows, place), revert: () => reverted(rows, place),
    }[act]();
    if (!made) return;
    this.change({rows: made});
    const next = {insert: made[place + 1]?.key, remove: (made[place] ?? made[place - 1])?.key}[act] ?? key;
    this.goTo(next);
    if (act === 'insert') this.table.elementOf(next)?.querySelector('[data-field=text]').focus();
  }
  // Cuts a line where its caret was last, or in its middle.
  #cut(place) {
    const {rows} = this.state, row = rows[place], {key, field, at} = this.caret ?? {};
    return (key === row.key && split(rows, place, field, at)) || split(rows, place, 'text', middle(row.text))
      || split(rows, place, 'source_text', middle(row.source_text));
  }
  moveEdge(place, edge, seconds) {
    const row = this.state.rows[place];
    this.change({rows: moved(this.state.rows, place, this.data.seconds, edge, seconds)}, `${row.key} ${edge}`);
  }
  // Lights the line that is being spoken.
  #playing(seconds, which, isPlaying) {
    if (isPlaying) this.fresh.hush();
    if (!this.state || !this.table) return;
    const [from, until] = which === 'dub' ? ['from', 'until'] : ['start', 'end'];
    const row = this.state.rows.find(({base}) => base && base[from] <= seconds && seconds < base[until]);
    if (row?.key !== this.lit) {
      this.table.elementOf(this.lit)?.classList.remove('vt-lit');
      this.lit = row?.key ?? null;
      this.table.elementOf(this.lit)?.classList.add('vt-lit');
    }
    this.chart?.playhead(seconds);
  }

  // Saving

  async save() {
    if (this.isSaving || !this.told.over || !this.count) return;
    this.ahead.stop();
    this.#keep();
    const {address} = this.told, {changes, state} = this;
    this.isSaving = true;
    this.bar.refuse('');
    this.#count();
    const sending = fetch(address, {
      method: 'POST', headers: {'Content-Type': 'application/json'},
      body: JSON.stringify({version: this.data.version, ...changes}),
    });
    this.fresh.begin(changes, state, sending);
    try {
      const answer = await sending;
      if (this.told.address === address) await this.#answered(answer, changes);
    } catch {
      this.fresh.end();
      this.bar.refuse(this.words('unreachable'));
    } finally {
      this.isSaving = false;
      if (this.data) this.#count();
    }
  }
  async #answered(answer, changes) {
    const {words} = this;
    if (!answer.ok) this.fresh.end();
    if (answer.ok) {
      this.sent = JSON.stringify(changes);
      this.told = {...this.told, over: false};
      this.news = setTimeout(() => this.askForNews(), NEWS_MS);
    } else if (answer.status === 412) {
      this.#keep();
      const isThere = await this.#load(false);
      if (isThere && !this.clashes.length && this.count) this.bar.refuse(words('merged'));
    } else {
      const isPlain = answer.headers.get('Content-Type')?.startsWith('text/plain');
      this.bar.refuse(isPlain ? await answer.text() : words('refused', {status: answer.status}));
      if (answer.status === 409) this.redraw();
    }
  }

  // Has the page ask how the job stands that was sent, unless it has done so.
  askForNews() {
    if (this.news) this.redraw();
    clearTimeout(this.news);
    this.news = null;
  }

  #focus() {
    const field = document.activeElement, key = field?.closest?.('.vt-rows [data-row]')?.dataset.row;
    return key ? {key, name: field.dataset.field, selection: [field.selectionStart, field.selectionEnd]} : null;
  }
  #refocus({key, name, selection}) {
    const row = this.table.reveal(key), field = name ? row?.querySelector(`[data-field="${name}"]`) : row;
    field?.focus({preventScroll: true});
    if (field?.setSelectionRange && selection[0] !== null && selection[0] !== undefined) field.setSelectionRange(...selection);
  }
}
