// The tools above the lines: search, filters, and find and replace over all lines.
import {button, make, say} from './dom.js';

const KINDS = ['', 'fast', 'changed', 'silent', 'unsure'];

export class Tools {
  // `filter(wanted)` shows the rows that match; `replace(words, others)` returns in how many rows it replaced.
  // `isRecognised`: a recogniser has said how sure it is.
  constructor(words, speakers, isRecognised, {filter, replace, help}) {
    this.words = words;
    this.wanted = {words: '', kind: '', speaker: ''};
    this.onFilter = filter;
    this.search = make('input', {type: 'search', class: 'vt-search', 'aria-label': words('search'), placeholder: words('search'),
      'aria-keyshortcuts': '/', oninput: () => this.set({words: this.search.value})});
    this.kind = this.#choice('kind', KINDS.filter(kind => isRecognised || kind !== 'unsure').map(kind => [kind, words(`kind_${kind || 'all'}`)]));
    this.who = this.#choice('speaker', [['', words('everybody')], ...speakers.map(one => [one.id, one.label])]);
    this.who.hidden = speakers.length < 2;
    this.told = make('span', {role: 'status', class: 'vt-found'});
    this.others = make('input', {class: 'vt-search', 'aria-label': words('replace_with'), placeholder: words('replace_with'), dir: 'auto'});
    this.swap = make('div', {class: 'vt-replace', hidden: true}, this.others,
      button(words('replace_all'), {'data-replace': true}, () => {
        const count = replace(this.search.value, this.others.value);
        say(this.told, words('replaced', {count}));
      }));
    this.element = make('div', {class: 'vt-tools', role: 'search'}, this.search, this.kind, this.who,
      button(words('replace'), {'aria-expanded': 'false', 'data-replacing': true}, ({target}) => this.#toggle(target)),
      button('?', {'aria-label': words('help'), title: words('help'), 'aria-keyshortcuts': '?'}, help), this.swap, this.told);
  }
  #choice(name, options) {
    const made = make('select', {'aria-label': this.words(`by_${name}`), onchange: () => this.set({[name]: made.value})});
    made.append(...options.map(([value, text]) => new Option(text, value)));
    return made;
  }
  #toggle(pressed) {
    this.swap.hidden = !this.swap.hidden;
    pressed.setAttribute('aria-expanded', !this.swap.hidden);
    if (!this.swap.hidden) this.others.focus();
  }
  // Sets what is wanted, and shows that in the fields too.
  set(wanted) {
    Object.assign(this.wanted, wanted);
    if (this.search.value !== this.wanted.words) this.search.value = this.wanted.words;
    this.kind.value = this.wanted.kind;
    this.who.value = this.wanted.speaker;
    this.onFilter(this.wanted);
  }
  get isFiltering() { return Boolean(this.wanted.words || this.wanted.kind || this.wanted.speaker); }
  show(count, all) { say(this.told, this.isFiltering ? this.words('found', {count, all}) : ''); }
}
