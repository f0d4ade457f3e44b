// How much of what a stranger wrote is laid out at once. A browser needs seconds for
// 64 KiB of some text: for marks piled on one letter, characters that are not seen,
// line breaks, or letters that no two of its fonts share. So a text comes in pieces, the
// first at once and each other when it is asked for.

/** What the first piece of a message may hold, and each other. */
export const FIRST = { characters: 1500, lines: 30, kinds: 300, unseen: 120 };
export const MORE = { characters: 6000, lines: 150, kinds: 300, unseen: 240 };

const AT_ONCE = 6000; // characters laid out before the page has had time for anything else
const PAUSE = 8; // milliseconds; for what somebody presses

/** Lays things out one after the other, and lets the page do what its user wants in between. */
export class Gently {
  #steps = [];
  #spent = 0; // characters, since the page had time
  #timer = 0;

  /** Has step done when it is its turn: about so many characters are laid out by it. */
  add(characters, step) {
    this.#steps.push({ characters, step });
    if (this.#timer === 0) this.#goOn();
  }

  /** Does nothing more of what was asked. */
  clear() { this.#steps = []; }

  #goOn() {
    while (this.#steps.length > 0 && this.#spent < AT_ONCE) {
      const { characters, step } = this.#steps.shift();
      this.#spent += characters;
      step();
    }
    if (this.#spent === 0 || this.#timer !== 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = this.#spent = 0;
      this.#goOn();
    }, PAUSE);
  }
}

const ATTACHED = /[\p{M}\p{Cf}]/u; // to the character before
const LINE = /[\n\v\f\r\x85\u2028\u2029]/;
const FEW = 4; // characters of one pile that count as nothing: no language piles more

/** Where the piece of text that begins at from ends: behind a line or a word, if it can be. */
export function pieceEnd(text, from, most) {
  const kinds = new Set();
  let lines = 0;
  let unseen = 0;
  let pile = 0;
  let word = from; // behind the last white space
  let at = from;
  while (at < text.length) {
    const character = String.fromCodePoint(text.codePointAt(at));
    if (LINE.test(character)) lines++;
    if (character > '\u024f') kinds.add(character);
    pile = ATTACHED.test(character) ? pile + 1 : 0;
    if (pile > FEW) unseen++;
    if (at + character.length - from > most.characters || lines > most.lines || kinds.size > most.kinds || unseen > most.unseen) break;
    at += character.length;
    if (/\s/.test(character)) word = at;
  }
  if (at === text.length) return at;
  if (word - from > (at - from) / 2) return word;
  // Not between a letter and its mark; but a pile without end is cut somewhere.
  let cut = at;
  for (let i = 0; i < 64 && cut > from + 1; i++) {
    if (!ATTACHED.test(String.fromCodePoint(text.codePointAt(cut))) && text[cut - 1] !== '\u200d') return cut;
    cut--;
    if (/[\udc00-\udfff]/.test(text[cut])) cut--;
  }
  return at;
}
