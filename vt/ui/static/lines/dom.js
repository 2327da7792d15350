// Small helpers that make elements, and write and read times.
export const make = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, '');
    else if (value !== false && value !== undefined && value !== null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
};
export const button = (text, attributes, act) => make('button', {type: 'button', ...attributes, onclick: act}, text);
// Sets the text, only where it is another: a screen reader would say it again.
export const say = (place, text) => { if (place.textContent !== text) place.textContent = text; };

// Fills the values into the words of a key; where these have several forms, into that which the language has for a count.
export const wordsOf = (texts, language) => {
  const rules = new Intl.PluralRules(language);
  return (key, values = {}) => {
    const found = texts[key] ?? key, said = typeof found === 'string' ? found : found[rules.select(values.count)] ?? found.other;
    return said.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  };
};

// A time as people read it on a player: 0:07, 12:30, 1:02:03; with places: 0:07.25.
export const clock = (seconds, places = 0) => {
  const unit = 10 ** places, all = Math.round(seconds * unit) / unit;
  const hours = Math.floor(all / 3600), minutes = Math.floor(all % 3600 / 60);
  const rest = (all % 60).toFixed(places).padStart(places ? places + 3 : 2, '0');
  return hours ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
};
// Returns the seconds of a time that somebody typed, such as 1:02:03.5, 62,5 or 0:07; null where it is none.
export const secondsOf = typed => {
  const parts = typed.trim().replace(',', '.').split(':');
  if (parts.length > 3 || !parts.every((part, place) => /^\d{1,6}(\.\d{0,3})?$/.test(part)
    && (place === parts.length - 1 || !part.includes('.')))) return null;
  return parts.reduce((sum, part) => 60 * sum + Number(part), 0);
};
