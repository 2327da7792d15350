"""What the page's own elements do in the browser, where a round trip to the server would be felt."""

from __future__ import annotations

import json

from vt.ui.words import LANGUAGES, Words

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


def refusing(most_bytes: int) -> str:
    """Return what tells the server of a file that is too large to be sent, in place of sending it."""
    return f"""
const refuse = event => {{
  if (!event.target.closest?.('#vt-film, #vt-subtitles')) return;
  const files = event.type === 'drop' ? event.dataTransfer?.files : event.target.files;
  if (![...(files ?? [])].some(file => file.size > {most_bytes})) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (event.type === 'change') event.target.value = '';
  trigger('submit', {{}});
}};
for (const kind of ['change', 'drop']) document.addEventListener(kind, refuse, true);
"""


LIVE = "element.setAttribute('role', 'status');"
"""Has a screen reader say what changes here."""

_SURE = {language: Words(language)("remove_sure") for language in LANGUAGES}
SURE = f"(...given) => confirm({json.dumps(_SURE)}[navigator.language.startsWith('es') ? 'es' : 'en']) ? given : [null]"
"""Asks before something is removed for good; where it is not to be, the server is told of nothing."""
