// Words that the operator has listed are blurred in what strangers say, until they are
// asked for. The list is in the document, as #filter, or there is none. It spares the
// reader a shock, and is no wall: whoever wants to be read finds another spelling.
//
// Compared is what a reader sees alike: without capitals, accents on Latin, Greek and
// Cyrillic letters, other forms of one letter, and characters that are not seen. A word
// counts as a whole, but where its script has no spaces, or the list says * for more. The
// time for a text is bounded by its length times that of the longest word.

import { words } from './words.js';

const MOST = 20; // blurred words in one piece of text: one with more is blurred as a whole
const AROUND = 200; // characters that are looked at on either side of a cut
const MOST_FOLDED = 4000; // characters that are remembered
const WIDEST = 3; // what one character is compared as, as the ligature ﬃ; what means more stands for itself

const WORD = /[\p{L}\p{N}\p{M}_]/u;
const NO_SPACES = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const UNSEEN = /[\u0300-\u036f\p{Cf}]/gu;

const folded = new Map(); // characters beyond ASCII

/** How a character is compared: as none, one or several. */
function fold(character) {
  if (character < '\u0080') return character.toLowerCase();
  let as = folded.get(character);
  if (as === undefined) {
    as = character.toLowerCase().normalize('NFKD').toLowerCase().replace(UNSEEN, '');
    if (as.length > WIDEST) as = character;
    if (folded.size >= MOST_FOLDED) folded.clear();
    folded.set(character, as);
  }
  return as;
}

/** The characters of text that count: where each begins, and how it is compared. */
function spell(text) {
  const letters = [];
  let at = 0;
  for (const character of text) {
    const as = fold(character);
    if (as !== '') letters.push({ at, as, word: WORD.test(character), alone: character > '\u0dff' && NO_SPACES.test(character) });
    at += character.length;
  }
  return letters;
}

/** Whether letter k and the one before it are in one word, where there are spaces between words. */
function inWord(letters, k) {
  const [before, letter] = [letters[k - 1], letters[k]];
  return before?.word === true && letter?.word === true && !before.alone && !letter.alone;
}

/** A letter of the words that are looked for: those that follow it, and whether a word ends here. */
class Letter {
  next = new Map();
  ends = false;
  from = false; // it may begin within another word,
  to = false; // and go on
}

export class WordFilter {
  #all = new Letter(); // what comes before the first letter,
  #within = new Letter(); // and of words that may begin within another
  on = true;

  /** The filter in the document, or null. */
  static given() {
    const given = document.getElementById('filter');
    return given ? new WordFilter(JSON.parse(given.textContent)) : null;
  }

  constructor(entries) {
    for (const entry of entries) {
      const [from, to] = [entry.startsWith('*'), entry.endsWith('*')];
      const units = [...entry.replace(/^\*|\*$/g, '')].map(fold).join('');
      if (units === '') continue;
      for (let node of from ? [this.#all, this.#within] : [this.#all]) {
        for (const unit of units) {
          let next = node.next.get(unit);
          if (!next) node.next.set(unit, next = new Letter());
          node = next;
        }
        node.ends = true;
        node.from ||= from;
        node.to ||= to;
      }
    }
  }

  /** Where words of the list stand in text: pairs of beginning and end, in order. */
  find(text) {
    const letters = spell(text);
    const found = [];
    let free = 0; // the first letter that is in no word yet
    for (let i = 0; i < letters.length; i++) {
      const { end, from, to } = this.#match(letters, i);
      if (end === i) continue;
      // What a * stands for is a part of it.
      let first = i;
      let behind = end;
      if (from) while (first > free && inWord(letters, first)) first--;
      if (to) while (behind < letters.length && inWord(letters, behind)) behind++;
      found.push([letters[first].at, letters[behind]?.at ?? text.length]);
      free = behind;
      i = behind - 1;
    }
    return found;
  }

  /** The longest word that begins with letter i: the index behind it, i if none does, and whether it has a * before and behind. */
  #match(letters, i) {
    let node = inWord(letters, i) ? this.#within : this.#all;
    let best = node; // which is no word
    let end = i;
    search: for (let k = i; k < letters.length; k++) {
      for (const unit of letters[k].as) {
        node = node.next.get(unit);
        if (!node) break search;
      }
      if (!node.ends || (!node.to && inWord(letters, k + 1))) continue;
      best = node;
      end = k + 1;
    }
    return { end, from: best.from, to: best.to };
  }

  /** Where a piece of text ends so that no word is cut: end, or before it. */
  before(text, begin, end) {
    if (!this.on || end === text.length) return end;
    const from = Math.max(begin, end - AROUND);
    const cut = this.find(text.slice(from, end + AROUND)).find(([a, b]) => from + a < end && from + b > end);
    return cut && from + cut[0] > begin ? from + cut[0] : end;
  }

  /** Blurs what is found in nodes of linked. */
  veil(nodes) {
    if (!this.on) return nodes;
    const veiled = [];
    let count = 0;
    for (const node of nodes) {
      const text = typeof node === 'string' ? node : node.textContent;
      const found = this.find(text);
      count += found.length;
      if (found.length === 0) {
        veiled.push(node);
      } else if (typeof node !== 'string') {
        veiled.push(veil(text, [node]));
      } else {
        let done = 0;
        for (const [from, to] of found.slice(0, MOST)) {
          veiled.push(text.slice(done, from), veil(text.slice(from, to), [text.slice(from, to)]));
          done = to;
        }
        veiled.push(text.slice(done));
      }
    }
    if (count <= MOST) return veiled;
    return [veil(nodes.map((node) => (typeof node === 'string' ? node : node.textContent)).join(''), nodes)];
  }

  /** Shows all that is blurred. */
  static unveil() {
    for (const button of document.querySelectorAll('.veiled')) button.click();
  }
}

/** What stands for nodes, and is as wide as text, until it is pressed. */
function veil(text, nodes) {
  const button = document.createElement('button');
  const blurred = document.createElement('span');
  button.type = 'button';
  button.className = 'veiled';
  button.title = words.veiled;
  button.setAttribute('aria-label', words.veiled);
  blurred.setAttribute('aria-hidden', 'true');
  blurred.textContent = text;
  button.append(blurred);
  button.addEventListener('click', () => {
    const had = button === document.activeElement;
    const shown = document.createElement('span');
    shown.tabIndex = -1; // so that a reader is where they were
    shown.append(...nodes);
    button.replaceWith(shown);
    if (had) shown.focus();
  });
  return button;
}
