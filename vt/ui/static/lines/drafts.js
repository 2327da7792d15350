// Drafts: what was changed and is not yet part of the dub. They are kept in the browser, by job and line, and put onto
// the lines again whenever these are loaded: after a reload, after a connection that broke, and when somebody else has
// changed lines meanwhile.
import {FIELDS, changedFields, changedOf, fieldsOf, given, isSame, isShown, newRow, rowOf} from './model.js';

const PREFIX = 'vt-draft:', MOST_JOBS = 20, MOMENT = 0.05, MOST_ENTRIES = 20_000, LONGEST_TEXT = 20_000, MOST_SECONDS = 1e6;

// Returns the entries of a state: for each changed line what it was and what it is to be.
export const entriesOf = (lines, state) => {
  const entries = {}, left = new Set(state.rows.map(row => row.base?.id));
  for (const row of state.rows) {
    const fields = changedFields(row);
    if (!row.base) entries[row.key] = {now: fieldsOf(row)};
    else if (fields.length) entries[row.key] = {was: {id: row.base.id, ...fieldsOf(row.base)}, now: given(row, fields)};
  }
  for (const line of lines)
    if (isShown(line) && !left.has(line.id)) entries[`gone ${line.id}`] = {was: {id: line.id, ...fieldsOf(line)}};
  for (const one of state.speakers) {
    const fields = changedOf(one);
    if (fields.length) entries[`speaker ${one.id}`] = {was: given(one.base, fields), now: given(one, fields)};
  }
  return entries;
};

const isNear = (one, other) => Math.abs(one - other) < MOMENT;
// Returns the line of today that a draft was written for; undefined where there is none any more.
const lineFor = (lines, {was, now = {}}) => {
  const begins = line => isNear(line.start, was.start) || isNear(line.start, now.start ?? was.start);
  const says = line => isSame(line.source_text, was.source_text) || isSame(line.source_text, now.source_text ?? '');
  const same = lines[was.id];
  if (same && begins(same) && says(same)) return same;
  return lines.find(line => begins(line) && says(line)) ?? lines.find(begins);
};
const isThere = (lines, now) => lines.some(line =>
  isNear(line.start, now.start) && isSame(line.source_text, now.source_text)
  && (!now.text.trim() || isSame(line.text, now.text)));

// Puts a draft of a line onto it. Where somebody else changed the same field, both wordings are kept: the own one in the
// line, the other one with the clash.
const mergedRow = (row, {was, now}, clashes) => {
  const fields = {};
  for (const field of FIELDS) {
    if (now[field] === undefined || isSame(now[field], row.base[field])) continue;
    fields[field] = now[field];
    if (!isSame(row.base[field], was[field])) clashes.push({key: row.key, field, theirs: row.base[field]});
  }
  return {...row, ...fields};
};
const inOrder = rows => rows.toSorted((one, other) => one.start - other.start);

// Returns lines and speakers with drafts put onto them: {rows, speakers, clashes, count}.
export const applied = (lines, speakers, entries) => {
  const shown = lines.filter(isShown), byId = new Map(shown.map(line => [line.id, rowOf(line)])), extra = [], clashes = [];
  for (const [name, entry] of Object.entries(entries)) {
    if (name.startsWith('speaker ')) continue;
    const line = entry.was && lineFor(lines, entry);
    const row = line && byId.get(line.id);
    if (name.startsWith('gone ')) {
      if (row && isSame(row.base.source_text, entry.was.source_text)) byId.delete(line.id);
    } else if (row) byId.set(line.id, mergedRow(row, entry, clashes));
    else if (!isThere(lines, {...entry.was, ...entry.now})) {
      const {id: _, ...fields} = {...entry.was, ...entry.now};
      extra.push(newRow(fields, entry.was ? undefined : name));
    }
  }
  const voices = speakers.map(one => {
    const draft = entries[`speaker ${one.id}`];
    return {...one, base: one, ...draft?.now};
  });
  const rows = inOrder([...byId.values(), ...extra]);
  const count = rows.filter(row => changedFields(row).length).length + shown.length - byId.size
    + voices.filter(one => changedOf(one).length).length;
  return {rows, speakers: voices, clashes, count};
};

// What is read from the storage may be of another version of the page, or of anybody: what has another shape than an
// entry is left out, so that it can neither break the page nor get into a dub.
const isObject = one => typeof one === 'object' && one !== null && !Array.isArray(one);
const isText = one => typeof one === 'string' && one.length <= LONGEST_TEXT;
const isCount = one => Number.isInteger(one) && one >= 0;
const isTime = one => Number.isFinite(one) && one >= 0 && one <= MOST_SECONDS;
const OF_LINES = {start: isTime, end: isTime, source_text: isText, text: isText, speaker: isCount};
const OF_SPEAKERS = {label: isText, voice: isText};
const areSome = (one, checks) => isObject(one) && Object.entries(one).every(([name, value]) => Object.hasOwn(checks, name) && checks[name](value));
const areAll = (one, checks) => areSome(one, checks) && Object.keys(one).length === Object.keys(checks).length;
const isLine = one => areAll(one, {...OF_LINES, id: isCount});
const SHAPES = {
  line: ({was, now}) => isLine(was) && areSome(now, OF_LINES),
  new: ({was, now}) => was === undefined && areAll(now, OF_LINES),
  gone: ({was, now}) => isLine(was) && now === undefined,
  speaker: ({was, now}) => areSome(was, OF_SPEAKERS) && areSome(now, OF_SPEAKERS),
};
const isEntry = (name, entry) => {
  const [, kind] = /^(line|gone|speaker) \d{1,6}$/.exec(name) ?? /^(new) \w{1,40}$/.exec(name) ?? [];
  return Boolean(kind) && isObject(entry) && SHAPES[kind](entry);
};
const entriesIn = kept => {
  const entries = isObject(kept) && isObject(kept.entries) ? Object.entries(kept.entries) : [];
  return Object.fromEntries(entries.filter(([name, entry]) => isEntry(name, entry)).slice(0, MOST_ENTRIES));
};
// Returns the browser's storage; none where it is switched off.
export const storageHere = () => {
  try { return localStorage; } catch { return null; }
};

// The drafts of one job in the browser's storage. Other tabs write there too: each touches only its own entries.
export class Drafts {
  constructor(storage, job) {
    this.storage = storage;
    this.name = PREFIX + job;
    this.known = new Set();
  }
  read() {
    const entries = this.#stored();
    this.known = new Set(Object.keys(entries));
    return entries;
  }
  // Keeps the entries, and forgets those of this tab that are no longer among them. Tells whether that worked.
  write(entries) {
    const stored = this.#stored();
    for (const name of this.known) delete stored[name];
    Object.assign(stored, entries);
    this.known = new Set(Object.keys(entries));
    try {
      if (Object.keys(stored).length) {
        this.storage.setItem(this.name, JSON.stringify({at: Date.now(), entries: stored}));
        this.#prune();
      } else this.storage.removeItem(this.name);
      return true;
    } catch {
      return !Object.keys(entries).length;
    }
  }
  #stored() {
    try { return entriesIn(JSON.parse(this.storage.getItem(this.name))); } catch { return {}; }
  }
  #prune() {
    const names = Object.keys(this.storage).filter(name => name.startsWith(PREFIX));
    if (names.length <= MOST_JOBS) return;
    const age = name => { try { return Number(JSON.parse(this.storage.getItem(name)).at) || 0; } catch { return 0; } };
    const oldest = names.toSorted((one, other) => age(one) - age(other));
    for (const name of oldest.slice(0, names.length - MOST_JOBS)) this.storage.removeItem(name);
  }
}
