// Which rows are shown, and what is put in place of other words.
import {isChanged, isUnsure} from './model.js';
import {ease, tempoOf} from './pace.js';

const plain = text => text.toLowerCase();
const KINDS = {
  changed: isChanged,
  fast: (row, pace) => ease(tempoOf(row, pace)) === 'fast',
  silent: row => !row.text.trim(),
  unsure: isUnsure,
};
// Returns the places of the rows that match; `wanted`: {words, kind, speaker}, each empty where it does not matter.
export const found = (rows, wanted, pace) => {
  const words = plain(wanted.words ?? '');
  const matches = row =>
    (!words || plain(row.text).includes(words) || plain(row.source_text).includes(words))
    && (!wanted.kind || KINDS[wanted.kind](row, pace))
    && (!wanted.speaker || row.speaker === Number(wanted.speaker));
  return rows.flatMap((row, index) => matches(row) ? [index] : []);
};
const literal = words => new RegExp(words.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`), 'giu');
// Returns rows in which all that is said has other words in place of some, and how many rows that changes.
export const replaced = (rows, words, others) => {
  if (!words) return [rows, 0];
  const wanted = literal(words);
  let count = 0;
  const after = rows.map(row => {
    const text = row.text.replace(wanted, () => others);
    if (text === row.text) return row;
    count += 1;
    return {...row, text};
  });
  return [after, count];
};
