// What was said, as plain text for a file or the clipboard. Each message is one block that
// nothing in it can imitate: it begins with time and name, and every further line of it
// with a bar.

import { format, words } from './words.js';

const FATES = ['undelivered', 'uncertain']; // that are worth a word
const LINE = /\r\n|[\n\v\f\r\x85\u2028\u2029]/;
// What is not seen and would change how the lines around it look.
const CONTROL = /(?!\t)\p{Cc}|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** lines, as Transcript keeps them, one block for each. */
export function asText(lines) {
  return lines.map(({ note, from, at, text, fate }) => {
    const [first, ...more] = text.split(LINE).map((line) => line.replace(CONTROL, '\ufffd'));
    const begin = note ? `--- ${format.moment(at)} ${first}` : `${format.moment(at)} ${words[from]}${FATES.includes(fate) ? ` (${words[fate]})` : ''}: ${first}`;
    return [begin, ...more.map((line) => `    | ${line}`)].join('\n') + '\n';
  }).join('');
}
