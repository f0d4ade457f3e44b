// When a lost connection is tried again: one table, and what is read out of it. The
// terminal client follows the same rules.

const FIRST_DELAY = 1_000; // milliseconds, as all times here
const LONGEST_DELAY = 30_000;
const SHORTEST_DELAY = 100;
const QUICK = 8; // attempts to return to a chat that are made before the wait grows

// The first row that has the code counts. A code of none of them would only happen
// again: it may not be tried.
//
//   least, most   the wait is spread evenly between these
//   backoff       most doubles with every attempt that has failed, up to LONGEST_DELAY
//   held          the server asked for this pause: nothing shortens it
const RULES = [
  { from: 1001, to: 1001, least: SHORTEST_DELAY, most: 5_000, backoff: true, reason: 'restarting' },
  { from: 1005, to: 1006, least: SHORTEST_DELAY, most: FIRST_DELAY, backoff: true, reason: 'lost' },
  { from: 1011, to: 1015, least: SHORTEST_DELAY, most: FIRST_DELAY, backoff: true, reason: 'lost' },
  { from: 4409, to: 4409, never: true, reason: 'elsewhere' },
  { from: 4503, to: 4503, never: true, reason: 'banned' },
  { from: 4429, to: 4429, least: 10_000, most: 60_000, held: true, reason: 'held' },
  { from: 4453, to: 4453, least: SHORTEST_DELAY, most: FIRST_DELAY, backoff: true, reason: 'full' },
  { from: 4400, to: 4499, least: SHORTEST_DELAY, most: FIRST_DELAY, backoff: true, reason: 'lost' },
  { from: 1009, to: 1009, never: true, reason: 'tooBig' },
];

const UNKNOWN = { never: true, reason: 'ended' };

function rule(code) {
  return RULES.find(({ from, to }) => code >= from && code <= to) ?? UNKNOWN;
}

/** Whether a connection that ended with this close code may be tried again. */
export function mayReconnect(code) {
  return !rule(code).never;
}

/**
 * Milliseconds to wait after the given close code and number of attempts that have
 * failed in a row; Infinity where it may not be tried again. random is as
 * Math.random: the wait is spread, so that clients who lost one server together do
 * not come back together.
 */
export function retryDelay(code, attempts, random = Math.random) {
  const { never, least, most, backoff } = rule(code);
  if (never) return Infinity;
  const ceiling = backoff ? Math.max(most, Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** attempts)) : most;
  return least + random() * (ceiling - least);
}

/**
 * The same for a client whose chat goes on when it is back: the first attempt is made at
 * once, unless the server has sent all of its clients away together, and some more within
 * a second each: a stranger waits.
 */
export function returnDelay(code, attempts, random = Math.random) {
  if (attempts === 0 && code !== 1001) return 0;
  return retryDelay(1006, Math.max(0, attempts - QUICK), random);
}

/** Whether a connection that ended with this code has ended its chat, too. */
export function endsChat(code) {
  return rule(code).never === true || isHeld(code);
}

/** Why it has to be waited, or not to be tried: a word for the user interface. */
export function closeReason(code) {
  return rule(code).reason;
}

/** Whether the server asked for the wait itself. */
export function isHeld(code) {
  return rule(code).held === true;
}

/**
 * What the server answers to a request at url, where it would not open a WebSocket: a
 * browser tells a page only that it failed. null where it says nothing of use, or
 * cannot be reached; else the reason, and how many milliseconds to wait at least. Whoever
 * is banned need not try before that, and may be told where to write to: appeal, or ''.
 */
export async function askWhy(url, signal) {
  try {
    const answer = await fetch(String(url).replace(/^ws/, 'http'), { cache: 'no-store', signal });
    const { status, headers } = answer;
    const reason = { 403: 'banned', 429: 'tooMany', 503: 'full' }[status];
    const seconds = Number(headers.get('Retry-After'));
    if (!reason || (reason === 'banned' && !(seconds > 0))) return null;
    const wait = seconds > 0 ? seconds * 1_000 : 0;
    if (reason !== 'banned') return { reason, wait: Math.min(wait, LONGEST_DELAY) };
    const appeal = (await answer.text()).split('\n')[1] ?? '';
    return { reason, wait, appeal: /^(mailto:|https:\/\/)\S+$/.test(appeal) ? appeal : '' };
  } catch {
    return null;
  }
}
