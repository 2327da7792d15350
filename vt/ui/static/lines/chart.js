// The lines on the film's time, with the sound of both films: a press seeks and goes to the line, the edges of the
// current line can be moved, by pointer or by the arrow keys, and a part of the film can be looked at closely.
import {button, clock, make} from './dom.js';
import {bounds} from './model.js';
import {ease, tempoOf} from './pace.js';

const RULER = 18, LANE = 46, GAP = 6, HEIGHT = RULER + 2 * LANE + GAP, SHORTEST_SPAN = 2, DRAG_PIXELS = 4;
const NICE_SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600], TICK_PIXELS = 110;
const FINE = 0.01, COARSE = 0.1, STEP = 1, LEAP = 10, HUES = 12;

export class Chart {
  constructor(bench) {
    const {words, data} = bench;
    [this.bench, this.words, this.seconds, this.at] = [bench, words, Math.max(data.seconds, 0.1), 0];
    [this.from, this.span, this.peaks] = [0, this.seconds, {}];
    this.canvas = make('canvas', {'aria-hidden': 'true'});
    this.head = this.#slider('vt-playhead', ({key}) => this.#seekBy(key), null);
    this.edges = Object.fromEntries(['start', 'end'].map(edge =>
      [edge, this.#slider(`vt-edge vt-${edge}`, event => this.#edgeBy(edge, event), event => this.#dragEdge(edge, event))]));
    this.strip = make('div', {class: 'vt-strip'}, this.canvas, this.head, this.edges.start, this.edges.end);
    this.rushed = make('p');
    const zoom = (name, text, factor) => button(text, {'aria-label': words(name), title: words(name), 'data-zoom': name}, () => this.zoom(factor));
    this.element = make('section', {class: 'vt-card vt-chart', 'aria-label': words('chart')},
      make('div', {class: 'vt-chart-head'}, make('h3', {}, words('chart')), this.rushed,
        make('span', {class: 'vt-zooms'}, zoom('zoom_out', '−', 2), zoom('zoom_in', '+', 0.5), zoom('zoom_all', '↔', Infinity))),
      this.strip, this.#legend());
    this.#listen();
    this.#fetchPeaks();
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.strip);
    this.themes = new MutationObserver(() => this.#inNewColours());
    this.themes.observe(document.body, {attributeFilter: ['class']});
  }
  close() {
    this.isClosed = true;
    this.sizes.disconnect();
    this.themes.disconnect();
  }
  // One after the other, so that a film that takes long to be measured does not hold up two threads of the server.
  async #fetchPeaks() {
    for (const sound of ['original', 'dub']) {
      try {
        const answer = this.isClosed ? null : await fetch(`api/v1/jobs/${this.bench.data.job}/peaks/${sound}?${this.bench.data.version}`);
        const values = answer?.ok ? (await answer.json()).peaks : [];
        this.peaks[sound] = {values, perSecond: values.length / this.seconds};
        this.draw();
      } catch { /* it is a chart without an outline then */ }
    }
  }
  // Returns an element that is moved by the arrow keys, and dragged.
  #slider(name, onKey, onDrag) {
    const made = make('div', {class: name, role: 'slider', tabindex: 0});
    made.addEventListener('keydown', event => {
      if (!event.ctrlKey && !event.metaKey && !event.altKey && onKey(event)) event.preventDefault();
    });
    if (onDrag) made.addEventListener('pointerdown', onDrag);
    return made;
  }
  #legend() {
    const {data, words} = this.bench;
    const people = data.several ? data.speakers.map(one => entry(`vt-slot vt-who-${one.id % HUES}`, one.label)) : [entry('vt-slot', words('original'))];
    const kinds = ['ok', 'brisk', 'fast'].map(kind => entry(`vt-${kind}`, `${words('dub')}, ${words(`tempo_${kind}`)}`));
    return make('ul', {class: 'vt-legend'}, ...people, ...kinds);
  }

  // Where things are

  get width() { return this.strip.clientWidth; }
  #x(seconds) { return (seconds - this.from) / this.span * this.width; }
  #secondsAt(x) { return Math.max(0, Math.min(this.seconds, this.from + x / this.width * this.span)); }
  #look(from, span) {
    this.span = Math.max(Math.min(SHORTEST_SPAN, this.seconds), Math.min(this.seconds, span));
    this.from = Math.max(0, Math.min(this.seconds - this.span, from));
    this.draw();
  }
  // Shows more or less of the film; a moment stays where it is: the one given, or the playhead.
  zoom(factor, around = this.at) {
    const span = Math.max(Math.min(SHORTEST_SPAN, this.seconds), Math.min(this.seconds, this.span * factor));
    const share = around >= this.from && around <= this.from + this.span ? (around - this.from) / this.span : 0.5;
    this.#look(around - share * span, span);
  }
  // Has a moment in sight.
  #show(seconds) {
    if (seconds < this.from || seconds > this.from + this.span) this.#look(seconds - this.span / 10, this.span);
  }

  // Has the edges of the current line in sight, and the keys move its start: Tab leads past other lines, which become
  // the current one.
  takeEdges() {
    const row = this.bench.state.rows[this.bench.indexOf(this.bench.current)];
    if (!row) return;
    this.#show(row.start);
    this.#placeEdges();
    this.edges.start.focus();
  }

  // What is done with it

  #listen() {
    const {canvas} = this;
    canvas.addEventListener('wheel', event => {
      if (event.ctrlKey) this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.#secondsAt(event.offsetX));
      else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.#look(this.from + event.deltaX / this.width * this.span, this.span);
      else return;
      event.preventDefault();
    }, {passive: false});
    canvas.addEventListener('pointerdown', event => this.#press(event));
  }
  #press(event) {
    const {canvas} = this, first = event.clientX, from = this.from, pressed = event.offsetX, height = event.offsetY;
    let isDragged = false;
    const move = ({clientX}) => {
      isDragged ||= Math.abs(clientX - first) > DRAG_PIXELS;
      if (isDragged) this.#look(from - (clientX - first) / this.width * this.span, this.span);
    };
    const end = ({type}) => {
      canvas.removeEventListener('pointermove', move);
      for (const name of ['pointerup', 'pointercancel']) canvas.removeEventListener(name, end);
      if (type === 'pointerup' && !isDragged) this.#pick(this.#secondsAt(pressed), height);
    };
    canvas.setPointerCapture(event.pointerId);
    canvas.addEventListener('pointermove', move);
    for (const name of ['pointerup', 'pointercancel']) canvas.addEventListener(name, end);
  }
  #pick(seconds, height) {
    const isDub = height > RULER + LANE, {bench} = this;
    bench.player.seek(seconds);
    const line = bench.state.rows.find(row => {
      const [from, until] = isDub && row.base ? [row.base.from, row.base.until] : [row.start, row.end];
      return from <= seconds && seconds <= until;
    });
    if (line) bench.goTo(line.key);
  }
  #seekBy(key) {
    const by = {ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP, PageUp: LEAP, PageDown: -LEAP, Home: -Infinity, End: Infinity}[key];
    if (!by) return false;
    this.bench.player.seek(this.bench.player.time + by);
    return true;
  }
  #edgeBy(edge, {key, shiftKey}) {
    const step = shiftKey ? FINE : COARSE;
    const by = {ArrowLeft: -step, ArrowDown: -step, ArrowRight: step, ArrowUp: step, PageUp: STEP, PageDown: -STEP}[key];
    const place = this.bench.indexOf(this.bench.current);
    if (!by || place < 0) return false;
    this.bench.moveEdge(place, edge, this.bench.state.rows[place][edge] + by);
    return true;
  }
  #dragEdge(edge, event) {
    const handle = this.edges[edge], left = this.strip.getBoundingClientRect().left;
    const place = this.bench.indexOf(this.bench.current);
    if (place < 0) return;
    event.preventDefault();
    handle.focus();
    handle.setPointerCapture(event.pointerId);
    const move = ({clientX}) => this.bench.moveEdge(place, edge, this.#secondsAt(clientX - left));
    const end = () => {
      handle.removeEventListener('pointermove', move);
      for (const name of ['pointerup', 'pointercancel']) handle.removeEventListener(name, end);
    };
    handle.addEventListener('pointermove', move);
    for (const name of ['pointerup', 'pointercancel']) handle.addEventListener(name, end);
  }
  playhead(seconds) {
    this.at = seconds;
    if (this.bench.player?.isPlaying) this.#show(seconds);
    this.#placeHead();
  }

  // How it is drawn

  draw() {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = 0;
      if (this.element.isConnected && this.width) this.#paint();
    });
  }
  #inNewColours() {
    this.colours = null;
    this.draw();
  }
  #colour(kind) {
    this.colours ??= {};
    if (!this.colours[kind]) {
      const probe = make('i', {class: kind, hidden: true});
      this.element.append(probe);
      this.colours[kind] = getComputedStyle(probe)[kind === 'vt-ink' || kind === 'vt-quiet' ? 'color' : 'backgroundColor'];
      probe.remove();
    }
    return this.colours[kind];
  }
  #paint() {
    const {canvas, width} = this, sharp = devicePixelRatio || 1;
    canvas.width = Math.round(width * sharp);
    canvas.height = HEIGHT * sharp;
    canvas.style.height = `${HEIGHT}px`;
    const pen = canvas.getContext('2d');
    pen.scale(sharp, sharp);
    this.#ruler(pen);
    const lanes = [RULER, RULER + LANE + GAP];
    for (const top of lanes) {
      pen.fillStyle = this.#colour('vt-lane');
      pen.fillRect(0, top, width, LANE);
    }
    this.#lines(pen, lanes);
    this.#wave(pen, this.peaks.original, lanes[0]);
    this.#wave(pen, this.peaks.dub, lanes[1]);
    this.#placeHead();
    this.#placeEdges();
    this.#tellRushed();
  }
  #ruler(pen) {
    const every = NICE_SECONDS.find(one => one / this.span * this.width >= TICK_PIXELS) ?? 3600;
    pen.fillStyle = this.#colour('vt-quiet');
    pen.font = '11px system-ui, sans-serif';
    for (let tick = Math.ceil(this.from / every) * every; tick <= this.from + this.span; tick += every) {
      const x = this.#x(tick);
      pen.fillRect(x, RULER - 4, 1, 4);
      pen.fillText(clock(tick), Math.min(x + 8, this.width - 34), RULER - 7);
    }
  }
  #lines(pen, [heard, spoken]) {
    const {bench} = this, until = this.from + this.span;
    const bar = (from, end, top, kind, isCurrent) => {
      if (end < this.from || from > until) return;
      const x = this.#x(from), wide = Math.max(2, this.#x(end) - x - 1);
      pen.fillStyle = this.#colour(kind);
      pen.globalAlpha = isCurrent ? 1 : 0.72;
      pen.fillRect(x, top + 2, wide, LANE - 4);
      pen.globalAlpha = 1;
      if (!isCurrent) return;
      pen.strokeStyle = this.#colour('vt-ink');
      pen.lineWidth = 2;
      pen.strokeRect(x, top + 2, wide, LANE - 4);
    };
    for (const row of bench.state.rows) {
      const isCurrent = row.key === bench.current;
      bar(row.start, row.end, heard, bench.data.several ? `vt-slot vt-who-${row.speaker % HUES}` : 'vt-slot', isCurrent);
      if (row.base?.text) bar(row.base.from, row.base.until, spoken, `vt-${ease(tempoOf(row, bench.pace))}`, isCurrent);
    }
  }
  #wave(pen, peaks, top) {
    if (!peaks?.values.length) return;
    const {values, perSecond} = peaks, middle = top + LANE / 2;
    pen.fillStyle = this.#colour('vt-ink');
    pen.globalAlpha = 0.55;
    for (let x = 0; x < this.width; x++) {
      const first = Math.floor((this.from + x / this.width * this.span) * perSecond);
      const last = Math.max(first + 1, Math.floor((this.from + (x + 1) / this.width * this.span) * perSecond));
      let peak = 0;
      for (let place = first; place < last && place < values.length; place++) peak = Math.max(peak, values[place]);
      const high = peak / 255 * (LANE - 8);
      if (high > 0) pen.fillRect(x, middle - high / 2, 1, high);
    }
    pen.globalAlpha = 1;
  }
  #placeHead() {
    const {head} = this, x = this.#x(this.at);
    head.hidden = x < -1 || x > this.width + 1;
    head.style.left = `${x}px`;
    tellSlider(head, this.words('playhead'), this.at, 0, this.seconds);
  }
  #placeEdges() {
    const {bench} = this, place = bench.indexOf(bench.current), row = bench.state.rows[place];
    for (const [edge, handle] of Object.entries(this.edges)) {
      const x = row ? this.#x(row[edge]) : -2;
      handle.hidden = x < -1 || x > this.width + 1;
      if (handle.hidden) continue;
      handle.style.left = `${x}px`;
      const {least, most, until} = bounds(bench.state.rows, place, this.seconds);
      const [from, upTo] = edge === 'start' ? [least, Math.min(most, row.end)] : [row.start, until];
      tellSlider(handle, this.words(`${edge}_of`, {number: place + 1}), row[edge], from, upTo);
    }
  }
  #tellRushed() {
    const {bench, words} = this;
    const count = bench.state.rows.filter(row => row.text && ease(tempoOf(row, bench.pace)) === 'fast').length;
    if (this.rushed.dataset.count === String(count)) return;
    this.rushed.dataset.count = count;
    this.rushed.replaceChildren(count ? words('rushed', {count}) : words('none_rushed'));
    if (count) this.rushed.append(' ', button(words('show_them'), {'data-rushed': true}, () => bench.only('fast')));
  }
}

const entry = (kind, text) => make('li', {}, make('i', {class: kind}), text);
const tellSlider = (element, label, now, least, most) => {
  const places = 2, values = {'aria-label': label, 'aria-valuenow': now.toFixed(places), 'aria-valuemin': least.toFixed(places),
    'aria-valuemax': most.toFixed(places), 'aria-valuetext': clock(now, places)};
  for (const [name, value] of Object.entries(values)) if (element.getAttribute(name) !== value) element.setAttribute(name, value);
};
