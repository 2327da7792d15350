// One player for both films, the dub and the original: they share one time, and a switch says which of them is seen and
// heard. A stretch of it plays and stops at its end.
import {button, clock, make, say} from './dom.js';

const STEP_SECONDS = 5;

export class Player {
  // `data`: as the server tells it; `onTime` is told of each moment: (seconds, which, isPlaying).
  constructor(data, words, onTime) {
    this.which = 'dub';
    this.until = null;
    this.onTime = onTime;
    this.words = words;
    this.films = {dub: this.#film(data, 'dub', data.dub), original: this.#film(data, 'original', data.original)};
    this.films.dub.append(make('track', {
      kind: 'subtitles', src: data.subtitles, srclang: data.target.code, label: data.target.name, default: true,
    }));
    this.element = this.#built(data);
    this.switchTo('dub');
  }
  get film() { return this.films[this.which]; }
  get time() { return this.film.currentTime; }
  get isPlaying() { return !this.film.paused; }

  #film(data, which, src) {
    const film = make(data.picture ? 'video' : 'audio', {
      controls: true, playsinline: true, preload: 'metadata', src, 'data-film': which, 'aria-label': this.words(which),
    });
    film.addEventListener('error', () => this.#tellTrouble());
    film.addEventListener('loadedmetadata', () => this.#tellTrouble());
    for (const name of ['play', 'pause', 'seeked', 'timeupdate', 'loadedmetadata'])
      film.addEventListener(name, () => this.#tell(film, name));
    return film;
  }
  #built(data) {
    const pick = which => button(this.words(which), {'data-which': which, title: data[which === 'dub' ? 'target' : 'source'].name},
      () => this.switchTo(which));
    this.toggleButton = button('', {class: 'vt-toggle'}, () => this.toggle());
    this.shownTime = make('span', {class: 'vt-time'});
    this.seconds = data.seconds;
    const bar = make('div', {class: 'vt-transport'}, this.toggleButton,
      make('div', {class: 'vt-which', role: 'group', 'aria-label': this.words('which')}, pick('dub'), pick('original')),
      this.shownTime);
    this.hasPicture = data.picture;
    this.trouble = make('p', {class: 'vt-cannot', role: 'status', hidden: true});
    const frame = make('div', {class: 'vt-films'}, this.films.dub, this.films.original, this.trouble);
    return make('div', {class: `vt-player${data.picture ? '' : ' vt-sound'}`}, frame, bar);
  }

  switchTo(which) {
    const before = this.film, wasPlaying = this.isPlaying;
    this.which = which;
    if (before !== this.film) {
      before.pause();
      this.film.currentTime = before.currentTime;
      if (wasPlaying) this.#start();
    }
    for (const [name, film] of Object.entries(this.films)) film.hidden = name !== which;
    for (const pick of this.element.querySelectorAll('[data-which]'))
      pick.setAttribute('aria-pressed', pick.dataset.which === which);
    this.#tellTrouble();
    this.#tell(this.film, 'switch');
  }
  // Says where the browser cannot play a film, or only its sound: the picture would stay black.
  #tellTrouble() {
    if (!this.element) return;
    const {film} = this, isBlack = this.hasPicture && film.readyState > 0 && !film.videoWidth;
    const key = film.error ? 'cannot_play' : isBlack ? 'no_picture' : '';
    this.trouble.hidden = !key;
    say(this.trouble, key && this.words(key));
  }
  // Plays a stretch of one of the films; without an end it goes on.
  play(which, from, until = null) {
    this.switchTo(which);
    this.film.currentTime = from;
    this.until = until;
    this.#start();
  }
  toggle() {
    if (this.isPlaying) return this.pause();
    this.until = null;
    return this.#start();
  }
  pause() {
    this.until = null;
    this.film.pause();
  }
  seek(seconds) {
    this.until = null;
    this.film.currentTime = Math.max(0, Math.min(this.seconds, seconds));
  }
  step(direction) { this.seek(this.time + direction * STEP_SECONDS); }
  // Makes the player small, at the top of the window, while its place is out of sight.
  watchPlace() {
    const place = this.element.parentElement;
    this.place = new IntersectionObserver(([{isIntersecting, boundingClientRect}]) => {
      const isSmall = !isIntersecting && boundingClientRect.bottom < 1 && boundingClientRect.height > 0;
      if (isSmall && !this.element.classList.contains('vt-compact')) place.style.height = `${place.offsetHeight}px`;
      if (!isSmall) place.style.height = '';
      this.element.classList.toggle('vt-compact', isSmall);
      for (const film of Object.values(this.films)) film.controls = !isSmall;
    });
    this.place.observe(place);
  }
  close() {
    this.place?.disconnect();
    for (const film of Object.values(this.films)) {
      film.pause();
      film.removeAttribute('src');
      film.load();
    }
  }

  async #start() {
    const film = this.film;
    try {
      await film.play();
    } catch { /* paused again at once, or it cannot be played, which its own event tells */ }
    const watch = () => {
      if (film.paused || film !== this.film) return;
      this.#tell(film, 'frame');
      requestAnimationFrame(watch);
    };
    requestAnimationFrame(watch);
  }
  #tell(film, name) {
    if (film !== this.film || !this.element) return;
    if (this.until !== null && film.currentTime >= this.until && !film.seeking) {
      this.until = null;
      film.pause();
    }
    if (name === 'pause' && film.currentTime < this.until) this.until = null;
    const isPlaying = !film.paused;
    this.toggleButton.classList.toggle('vt-playing', isPlaying);
    const label = this.words(isPlaying ? 'pause' : 'play');
    if (this.toggleButton.ariaLabel !== label) this.toggleButton.ariaLabel = this.toggleButton.title = label;
    say(this.shownTime, `${clock(film.currentTime)} / ${clock(this.seconds)}`);
    this.onTime(film.currentTime, this.which, isPlaying);
  }
}
