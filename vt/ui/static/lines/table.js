// The lines as a list of which only what is seen is drawn: a film may have thousands. Rows are of different heights; one
// that was drawn is measured, any other is taken to be as high as the average.
const MARGIN_PIXELS = 1200, COMMON_PIXELS = 96;

export class Table {
  // `draw(key)` makes the element of a row, `update(element, index)` shows a row in it.
  constructor(element, draw, update) {
    this.element = element;
    this.draw = draw;
    this.update = update;
    this.keys = [];
    this.drawn = new Map();
    this.heights = new Map();
    this.kept = null;
    this.above = document.createElement('div');
    this.below = document.createElement('div');
    this.list = document.createElement('ol');
    element.replaceChildren(this.above, this.list, this.below);
    this.sizes = new ResizeObserver(entries => this.#measured(entries));
    this.sizes.observe(element);  // it may come into sight, or become narrower
    this.look = () => this.#draw();
    addEventListener('scroll', this.look, {passive: true});
    addEventListener('resize', this.look);
  }
  close() {
    removeEventListener('scroll', this.look);
    removeEventListener('resize', this.look);
    this.sizes.disconnect();
  }
  // Shows these rows: keys and the places that `update` gets.
  show(keys, places) {
    this.keys = keys;
    this.places = places;
    this.#draw(true);
  }
  elementOf(key) { return this.drawn.get(key); }
  // Scrolls so that a row is in sight, and returns its element.
  reveal(key) {
    const place = this.keys.indexOf(key);
    if (place < 0) return null;
    this.kept = key;
    this.#draw();
    const row = this.drawn.get(key);
    row.scrollIntoView({block: 'nearest'});
    this.#draw();
    return row;
  }

  get #common() {
    if (!this.heights.size) return COMMON_PIXELS;
    if (this.averaged !== this.heights.size) {
      this.averaged = this.heights.size;
      this.average = [...this.heights.values()].reduce((sum, one) => sum + one, 0) / this.heights.size;
    }
    return this.average;
  }
  #heightOf(key) { return this.heights.get(key) ?? this.#common; }
  #measured(entries) {
    let isOther = false;
    for (const {target} of entries) {
      const height = target.offsetHeight;
      if (target === this.element) {
        if (height && target.clientWidth !== this.wide) isOther = true;
        this.wide = height ? target.clientWidth : 0;
        continue;
      }
      if (!height || !target.isConnected || this.heights.get(target.dataset.row) === height) continue;
      this.heights.set(target.dataset.row, height);
      isOther = true;
    }
    if (isOther) this.#draw();
  }
  // Draws what is seen and a little more; `again`: what is drawn already may have changed.
  #draw(again = false) {
    const top = this.element.getBoundingClientRect().top;
    if (!this.element.offsetParent) return;
    const from = -top - MARGIN_PIXELS, until = -top + innerHeight + MARGIN_PIXELS;
    let before = 0, first = 0;
    while (first < this.keys.length && before + this.#heightOf(this.keys[first]) < from)
      before += this.#heightOf(this.keys[first++]);
    let last = first, seen = before;
    while (last < this.keys.length && seen < until) seen += this.#heightOf(this.keys[last++]);
    let after = 0;
    for (let place = last; place < this.keys.length; place++) after += this.#heightOf(this.keys[place]);
    this.#place(first, last, again, before, after);
  }
  #place(first, last, again, before, after) {
    const wanted = new Map();
    for (let place = first; place < last; place++) wanted.set(this.keys[place], place);
    // The row that has the focus stays, wherever it is: it must not lose it.
    const focused = document.activeElement?.closest?.('[data-row]')?.dataset.row;
    for (const key of [focused, this.kept]) {
      const place = key === undefined || key === null || wanted.has(key) ? -1 : this.keys.indexOf(key);
      if (place >= 0) wanted.set(key, place);
    }
    for (const [key, row] of this.drawn) {
      if (wanted.has(key)) continue;
      this.sizes.unobserve(row);
      row.remove();
      this.drawn.delete(key);
    }
    let beyond = 0;
    const order = [...wanted].toSorted(([, one], [, other]) => one - other);
    let next = this.list.firstChild;
    for (const [key, place] of order) {
      if (place < first) before -= this.#heightOf(key);
      if (place >= last) beyond += this.#heightOf(key);
      let row = this.drawn.get(key);
      const isNew = !row;
      if (isNew) {
        row = this.draw(key);
        this.drawn.set(key, row);
      }
      if (row === next) next = row.nextSibling;
      else this.list.insertBefore(row, next);
      if (isNew || again) this.update(row, this.places[place]);
      if (isNew) this.sizes.observe(row);
      row.setAttribute('aria-posinset', place + 1);
      row.setAttribute('aria-setsize', this.keys.length);
    }
    this.above.style.height = `${Math.max(0, before)}px`;
    this.below.style.height = `${Math.max(0, after - beyond)}px`;
  }
}
