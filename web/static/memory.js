// What this browser remembers of its user: settings, never a word of a chat. Where
// storage is switched off it is forgotten with the page.

const PREFIX = 'roulette.';

export function remember(key, value) {
  try {
    localStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // then not
  }
}

/** The remembered value, or fallback where there is none of its kind. */
export function recall(key, fallback) {
  try {
    const value = JSON.parse(localStorage.getItem(PREFIX + key));
    if (typeof value === typeof fallback && Array.isArray(value) === Array.isArray(fallback) && value !== null) return value;
  } catch {
    // not ours
  }
  return fallback;
}
