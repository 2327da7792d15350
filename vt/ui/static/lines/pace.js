// Tells whether there is time to say a line, from how fast this dub's voice speaks.
const BRISK = 1.1, HURRIED = 1.2, COMMON_PACE = 14, TELLING_LENGTH = 25;

export const ease = tempo => tempo <= BRISK ? 'ok' : tempo <= HURRIED ? 'brisk' : 'fast';
// Returns how many characters the voice says in a second, as it has said all lines so far.
export const paceOf = lines => {
  const spoken = lines.filter(line => line.text && line.natural > 0);
  const seconds = spoken.reduce((sum, line) => sum + line.natural, 0);
  return seconds > 1 ? spoken.reduce((sum, line) => sum + line.text.length, 0) / seconds : COMMON_PACE;
};
// Returns the tempo that a row will need; of an unchanged one the tempo that it has.
export const tempoOf = (row, pace) => {
  const {base} = row, length = row.end - row.start;
  if (base && base.text === row.text && Math.abs(base.end - base.start - length) < 0.01) return base.tempo;
  const room = Math.max(0.1, base ? Math.max(base.room, base.until - base.from) + length - (base.end - base.start) : length);
  // How fast a line was said tells how fast it will be, unless it was too short for that.
  const own = base?.natural > 0 && base.text.length >= TELLING_LENGTH ? base.text.length / base.natural : pace;
  return row.text.trim().length / own / room;
};
