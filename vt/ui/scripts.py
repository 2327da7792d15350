"""What the page's own elements do in the browser, where a round trip to the server would be felt."""

from __future__ import annotations

import json

from vt.ui.words import LANGUAGES, Words

MEMORY_KEY = "vt-memory"
MOST_JOBS = 50
"""So many jobs a browser remembers."""

PICK = """
element.addEventListener('click', event => {
  const picked = event.target.closest('[data-open]');
  if (picked) trigger('select', {job: picked.dataset.open});
});
"""
"""A click on a film in the list opens it."""

WATCH = """
element.addEventListener('error', event => {
  if (event.target.matches?.('video, audio')) event.target.closest('figure')?.classList.add('vt-unplayable');
}, true);
element.addEventListener('play', event => {
  for (const other of element.querySelectorAll('video, audio')) if (other !== event.target) other.pause();
}, true);
"""
"""One player plays at a time; one that the browser cannot play says so."""

HEAR = """
let sound = null, pressed = null;
const show = playing => {
  pressed.classList.toggle('vt-playing', playing);
  pressed.ariaLabel = playing ? pressed.dataset.hush : pressed.title;
  pressed.querySelector('span').textContent = playing ? pressed.dataset.hush : pressed.dataset.hear;
};
const hush = () => {
  if (!sound) return;
  sound.pause();
  URL.revokeObjectURL(sound.src);
  show(false);
  sound = null;
};
element.addEventListener('click', async event => {
  const button = event.target.closest('[data-sample]');
  if (!button || button.ariaBusy === 'true') return;
  const again = sound && pressed === button;
  hush();
  if (again) return;
  button.ariaBusy = 'true';
  let told = '';
  try {
    const answer = await fetch(button.dataset.sample);
    if (!answer.ok) {
      told = (await answer.json()).detail;
      throw new Error(told);
    }
    const spoken = new Audio(URL.createObjectURL(await answer.blob()));
    spoken.addEventListener('ended', hush);
    if (!button.isConnected) return;
    sound = spoken;
    pressed = button;
    show(true);
    await spoken.play();
    if (document.querySelector('#vt-voice-trouble [role=alert]')) trigger('submit', {heard: true});
  } catch (failure) {
    const byHand = failure.name === 'AbortError';
    hush();
    if (!byHand) trigger('submit', {said: told});
  } finally {
    button.ariaBusy = 'false';
  }
});
"""
"""Lets a voice be heard at one press, and hushes it at the next; says what the server said where it cannot be heard."""

MEND = """
const fields = () => [...element.querySelectorAll('textarea[data-line]')];
const changed = () => fields().filter(field => field.value !== field.defaultValue);
const count = () => {
  const lines = new Set(changed().map(field => field.dataset.line)).size;
  const said = element.querySelector('[data-none]'), save = element.querySelector('[data-save]');
  if (!save) return;
  save.disabled = !lines || save.dataset.busy === 'true';
  const text = lines === 0 ? said.dataset.none : lines === 1 ? said.dataset.one
    : said.dataset.many.replace('#', lines);
  if (said.textContent !== text) said.textContent = text;
};
element.addEventListener('input', event => {
  event.target.closest('tr')?.classList.toggle('vt-changed',
    [...event.target.closest('tr').querySelectorAll('textarea')].some(field => field.value !== field.defaultValue));
  count();
});
element.addEventListener('click', event => {
  const play = event.target.closest('[data-at]');
  if (play) {
    const film = document.querySelector('#vt-watch .vt-dub video, #vt-watch .vt-dub audio');
    if (film) { film.currentTime = Number(play.dataset.at); film.play(); }
  }
  const save = event.target.closest('[data-save]');
  if (!save || save.disabled) return;
  const lines = {};
  for (const field of changed()) {
    const line = lines[field.dataset.line] ??= {id: Number(field.dataset.line)};
    line[field.dataset.field] = field.value;
  }
  save.disabled = true;
  trigger('submit', {version: Number(element.querySelector('[data-version]').dataset.version),
                     lines: Object.values(lines)});
});
"""
"""Counts the lines that were changed, sends them at one press, and plays from a line on."""

LIVE = "element.setAttribute('role', 'status');"
"""Has a screen reader say what changes here."""

_STORE = f"""
const KEY = {json.dumps(MEMORY_KEY)};
const stored = () => {{
  try {{ return JSON.parse(localStorage.getItem(KEY)) ?? {{}}; }} catch {{ return {{}}; }}
}};
"""
RECALL = f"""() => {{{_STORE}
  const kept = stored();
  let view = kept.view;
  try {{ view = sessionStorage.getItem(KEY) ?? view; }} catch {{ /* without a memory it works too */ }}
  window.vtKnown = kept.jobs ?? [];
  return [{{jobs: window.vtKnown, view}}];
}}"""
"""Returns what this browser remembers, and what this tab of it looked at last."""

KEEP = f"""{_STORE}
watch('value', () => {{
  const now = props.value;
  if (!Array.isArray(now?.jobs)) return;
  const gone = (window.vtKnown ?? []).filter(job => !now.jobs.includes(job));
  const others = (stored().jobs ?? []).filter(job => !gone.includes(job) && !now.jobs.includes(job));
  window.vtKnown = now.jobs;
  try {{
    localStorage.setItem(KEY, JSON.stringify({{jobs: [...now.jobs, ...others].slice(0, {MOST_JOBS}), view: now.view}}));
    sessionStorage.setItem(KEY, now.view);
  }} catch {{ /* a browser that keeps nothing for this page */ }}
}});
"""
"""Keeps what changed, beside what other tabs have kept meanwhile."""

GUARD = """
const name = area => area.querySelector('button[aria-label]')?.setAttribute('aria-label', area.innerText);
const refuse = (event, files) => {
  const most = Number(element.querySelector('[data-most]')?.dataset.most);
  const large = event.target.closest?.('#vt-film, #vt-subtitles') && [...files ?? []].find(file => file.size > most);
  if (!large) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (event.target.files) event.target.value = '';
  else event.target.dispatchEvent(new DragEvent('dragleave', {bubbles: true}));
  trigger('submit', {file: large.name, megabytes: Math.ceil(large.size / 2 ** 20)});
};
document.addEventListener('change', event => refuse(event, event.target.files), true);
document.addEventListener('drop', event => refuse(event, event.dataTransfer?.files), true);
"""
"""Refuses a file that is too large before it is sent, in the page's own words."""

_LOST = {language: Words(language)("connection_lost") for language in LANGUAGES}
PAGE = f"""
const lost = {json.dumps(_LOST)}[navigator.language.startsWith('es') ? 'es' : 'en'];
let last = null;
document.addEventListener('focusin', event => {{ last = event.target; }});
const look = () => {{
  for (const told of document.querySelectorAll('[data-testid=toast-text]'))
    if (told.textContent.startsWith('Connection to the server was lost. Attempting')) told.textContent = lost;
  const active = document.activeElement;
  if (!last || (active !== document.body && active !== last) || (last.isConnected && last.checkVisibility())) return;
  const heading = [...document.querySelectorAll('#vt-tabs h2')].find(one => one.checkVisibility());
  if (!heading) return;
  heading.tabIndex = -1;
  heading.focus();
}};
new MutationObserver(look).observe(document.body,
  {{childList: true, subtree: true, attributes: true, attributeFilter: ['class', 'style']}});
"""
"""Leads the focus to the heading of what has taken the place of the element that had it, and puts a sentence of
Gradio's, which it has in English alone, in the page's own words."""

_SURE = {language: Words(language)("remove_sure") for language in LANGUAGES}
SURE = f"(...given) => confirm({json.dumps(_SURE)}[navigator.language.startsWith('es') ? 'es' : 'en']) ? given : [null]"
"""Asks before something is removed for good; where it is not to be, the server is told of nothing."""
