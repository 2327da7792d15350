// The lines of a dub as they are edited: pure functions over a list of rows. A row is never changed, only replaced, so
// that an earlier list is an earlier state. A row has the fields below, a `key` of its own, and as `base` the line as
// the server has it (null: the row is new).
export const FIELDS = ['start', 'end', 'source_text', 'text', 'speaker'];
const SHORTEST_SECONDS = 0.1, NEW_SECONDS = 2, SURE = 0.7;
const WITHOUT_SPACES = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]$/u;
let made = 0;

export const rounded = seconds => Math.round(seconds * 1000) / 1000;
export const isSame = (one, other) => one === other ||
  (typeof one === 'number' ? Math.abs(one - other) < 0.0006 : String(one).trim() === String(other).trim());
export const given = (one, fields) => Object.fromEntries(fields.map(field => [field, one[field]]));
export const fieldsOf = row => given(row, FIELDS);
export const rowOf = line => ({...fieldsOf(line), key: `line ${line.id}`, base: line});
export const newKey = () => `new ${Date.now().toString(36)}${(made++).toString(36)}`;
export const newRow = (fields, key = newKey()) => ({...fields, key, base: null});

// What is otherwise than the server has it: the names of the fields; all of them for a row that is new.
export const changedFields = row =>
  row.base ? FIELDS.filter(field => !isSame(row[field], row.base[field])) : FIELDS;
// Whether the recogniser was not sure of what it heard, and nobody has written it anew.
export const isUnsure = ({base, source_text}) =>
  typeof base?.confidence === 'number' && base.confidence < SURE && isSame(source_text, base.source_text);
export const isChanged = row => !row.base || changedFields(row).length > 0;

export const withRow = (rows, index, fields) =>
  rows.map((row, place) => place === index ? {...row, ...fields} : row);
export const reverted = (rows, index) => withRow(rows, index, fieldsOf(rows[index].base));

// Where a line may begin and end: between the beginnings of its neighbours, and before the film is over.
export const bounds = (rows, index, seconds) => ({
  least: index ? rows[index - 1].start : 0,
  most: index + 1 < rows.length ? rows[index + 1].start : Infinity,
  until: Math.max(seconds, rows[index].base?.end ?? 0),
});
export const areTimes = (rows, index, seconds, start, end) => {
  const {least, most, until} = bounds(rows, index, seconds);
  return start >= least && start <= most && start < end && end <= until;
};
// Returns rows with one edge of a line moved as far as is possible.
export const moved = (rows, index, seconds, edge, to) => {
  const row = rows[index], {least, most, until} = bounds(rows, index, seconds);
  const [from, upTo] = edge === 'start'
    ? [least, Math.min(most, row.end - SHORTEST_SECONDS)] : [row.start + SHORTEST_SECONDS, until];
  return withRow(rows, index, {[edge]: rounded(Math.max(from, Math.min(upTo, to)))});
};

const cutAt = (text, place) => [text.slice(0, place).trim(), text.slice(place).trim()];
// Returns where a text is cut best near a share of it: at a space, or anywhere where it has none there.
const nearSpace = (text, share) => {
  const wanted = Math.round(text.length * share);
  const spaces = [...text.matchAll(/\s/gu)].map(found => found.index);
  const best = spaces.reduce((one, other) => Math.abs(other - wanted) < Math.abs(one - wanted) ? other : one, Infinity);
  return Math.abs(best - wanted) <= text.length / 3 ? best : wanted;
};
// Returns where a text is cut in two when nobody says where.
export const middle = text => nearSpace(text, 0.5);
// Returns rows with one line made two: its texts and its time are cut at about the same share. Null where it is too
// short for that, or nothing would be left on one side.
export const split = (rows, index, field, place) => {
  const row = rows[index], other = field === 'text' ? 'source_text' : 'text';
  const share = place / row[field].length;
  const own = cutAt(row[field], place), others = cutAt(row[other], nearSpace(row[other], share));
  const at = rounded(row.start + share * (row.end - row.start));
  if (!own[0] || !own[1] || at - row.start < SHORTEST_SECONDS || row.end - at < SHORTEST_SECONDS) return null;
  const halves = [0, 1].map(side => ({[field]: own[side], [other]: others[side]}));
  const first = {...row, ...halves[0], end: at};
  return rows.toSpliced(index, 1, first, newRow({...fieldsOf(row), ...halves[1], start: at}));
};
const joinedText = (one, other) =>
  [one, other].filter(text => text.trim()).join(WITHOUT_SPACES.test(one) ? '' : ' ');
// Returns rows with a line and the next one made one.
export const joined = (rows, index) => {
  const [one, other] = rows.slice(index, index + 2);
  return rows.toSpliced(index, 2, {
    ...one, end: Math.max(one.end, other.end),
    source_text: joinedText(one.source_text, other.source_text), text: joinedText(one.text, other.text),
  });
};
// Returns rows with an empty line behind one, in the time up to the next; null where the film is over there.
export const inserted = (rows, index, seconds) => {
  const row = rows[index], next = rows[index + 1]?.start ?? Infinity;
  const start = Math.min(row.end, next - SHORTEST_SECONDS, seconds - SHORTEST_SECONDS);
  const end = Math.min(seconds, start + NEW_SECONDS, next);
  if (start <= row.start) return null;
  return rows.toSpliced(index + 1, 0, newRow({
    start: rounded(start), end: rounded(end), source_text: '', text: '', speaker: row.speaker,
  }));
};
export const removed = (rows, index) => rows.toSpliced(index, 1);

// Removed lines stay with the server, without words; here they are not shown.
export const isShown = line => Boolean(line.text.trim() || line.source_text.trim());
// Returns what the server is told of the lines that are not shown: those that were removed say nothing, and all of them
// stay between their neighbours, wherever these were moved.
const silenced = (lines, rows) => {
  const shown = new Map(rows.filter(row => row.base).map(row => [row.base.id, row.start]));
  const told = [];
  let least = 0;
  lines.forEach((line, place) => {
    if (shown.has(line.id)) {
      least = shown.get(line.id);
      return;
    }
    const next = lines.find((one, later) => later > place && shown.has(one.id));
    const start = rounded(Math.max(least, Math.min(line.start, shown.get(next?.id) ?? Infinity)));
    const fields = isShown(line) ? {text: '', source_text: ''} : {};
    if (!isSame(start, line.start)) Object.assign(fields, {start, end: Math.max(line.end, rounded(start + 0.001))});
    if (Object.keys(fields).length) told.push({id: line.id, ...fields});
    least = start;
  });
  return told;
};
// Returns what the server is asked for.
export const asked = (lines, state) => ({
  lines: [
    ...state.rows.filter(row => row.base && isChanged(row)).map(row => ({id: row.base.id, ...given(row, changedFields(row))})),
    ...silenced(lines, state.rows),
  ],
  added: state.rows.filter(row => !row.base).map(fieldsOf),
  speakers: state.speakers.filter(one => changedOf(one).length).map(one => ({id: one.id, ...given(one, changedOf(one))})),
});
const matching = (all, isIt) => [...all].filter(isIt).length;
// Returns the number of each row among the lines of the next version, by its key, once the server has put the new ones of
// `changes` among those that it has.
export const numbersOf = (lines, rows, {lines: changed, added}) => {
  const told = new Map(changed.map(line => [line.id, line.start]));
  const starts = new Map(lines.map(line => [line.id, told.get(line.id) ?? line.start]));
  const number = ({base, start}) => base
    ? matching(starts.keys(), id => id < base.id) + matching(added, one => one.start < starts.get(base.id))
    : matching(starts.values(), one => one <= start) + matching(added, one => one.start < start);
  return new Map(rows.map(row => [row.key, number(row)]));
};
export const changedOf = speaker => ['label', 'voice'].filter(field => speaker[field] !== speaker.base[field]);
export const countOf = changes => Object.values(changes).reduce((sum, some) => sum + some.length, 0);
