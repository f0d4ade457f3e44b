// What goes over the connection: chat messages, and control records, which begin with a
// character that no chat message begins with. Whatever a record holds is made small and
// plain here, before anything else sees it: numbers that can be shown and waited for,
// words that are looked up, and short lists of short texts.

/** Begins a control record, and never a chat message. */
export const SEPARATOR = '\u001e';

const MOST = 10; // texts of a list, as the server has it
const LONGEST = 100; // UTF-16 units of one: 32 characters, whatever they are, and more
const LONGEST_WORD = 64;
const LARGEST = 1e12; // number that is shown
const DAY = 86_400; // seconds

const encoder = new TextEncoder();

/** The chat's address on the host that page came from: ws for http, wss for https. */
export function chatURL(page = location.href, path = '/ws') {
  const url = new URL(path, page);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.search = '';
  url.hash = '';
  return url.href;
}

/**
 * The records of a control message, in order; what cannot be read is left out.
 * null if data is no control message but chat.
 */
export function parseRecords(data) {
  if (typeof data !== 'string' || !data.startsWith(SEPARATOR)) return null;
  const records = [];
  for (const text of data.slice(1).split(SEPARATOR)) {
    try {
      const record = JSON.parse(text);
      if (typeof record?.type === 'string') records.push(flat(record));
    } catch {
      // not for us
    }
  }
  return records;
}

/** record with texts, numbers, truths and lists of them: there is no record that has more. */
function flat(record) {
  const simple = (value) => typeof value !== 'object';
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, Array.isArray(value) ? value.filter(simple) : simple(value) ? value : null]));
}

/** The size of data, a string or bytes, in bytes. */
export function sizeOf(data) {
  if (typeof data === 'string') return encoder.encode(data).length;
  return data.size ?? data.byteLength;
}

/** A copy that nobody changes while it waits. */
export function bytesOf(data) {
  if (data instanceof ArrayBuffer) return new Uint8Array(data.slice(0));
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));
  throw new TypeError('what is kept to be sent again is a string, an ArrayBuffer or a view of one');
}

/** value as a list of short texts, which are cut where they are long. */
export function texts(value) {
  if (!Array.isArray(value)) return [];
  return value.slice(0, MOST).filter((text) => typeof text === 'string').map((text) => text.slice(0, LONGEST));
}

/** value as a word that is looked up in a table; '' where it can be none. */
export function word(value) {
  return typeof value === 'string' && value.length <= LONGEST_WORD ? value : '';
}

/** value as how many people or messages there are; null where it is no number. */
export function amount(value) {
  return Number.isFinite(value) ? Math.min(Math.max(0, Math.trunc(value)), LARGEST) : null;
}

/** value as seconds that can be waited for, a day at most; 0 where it is no number. */
export function seconds(value) {
  return value > 0 && Number.isFinite(value) ? Math.min(value, DAY) : 0;
}
