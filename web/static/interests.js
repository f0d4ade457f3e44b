// Interests as tags: typed, taken away again, and remembered by this browser.

import { recall, remember } from './memory.js';
import { words } from './words.js';

const MOST = 10; // as the server has it
const LONGEST = 32;
const MOST_TYPED = 1000; // characters that are looked at

// White space as Unicode has it (\s knows a byte order mark more, and a next line less),
// and characters that are not seen, but for those that text needs: joiners, and the tags
// that flags are spelled with.
const SPACE = /[\t-\r\x85\p{Z}]+/gu;
const UNSEEN = /(?![\u200c\u200d\u{e0020}-\u{e007f}])[\p{Cc}\p{Cf}]/gu;
const SEEN = /[^\p{Mn}\p{Cc}\p{Cf} ]/u;
// A character with all that is joined to it, at the end of a text.
const LAST = /(?:[^\p{M}\p{Cf}][\p{M}\u200c\u{e0020}-\u{e007f}]*\u200d)*[^\p{M}\p{Cf}][\p{M}\u200c\u200d\u{e0020}-\u{e007f}]*$/u;

/** text as an interest, or '' where nothing that can be seen is left of it. */
export function interest(text) {
  const clean = text.slice(0, MOST_TYPED).normalize('NFC').replace(SPACE, ' ').replace(UNSEEN, '').replace(/ {2,}/g, ' ').trim();
  if (!SEEN.test(clean)) return '';
  const characters = [...clean];
  let kept = characters.slice(0, LONGEST).join('');
  // What is cut off takes with it what it is joined to: half a flag is another flag.
  if (/^[\p{M}\p{Cf}]/u.test(characters[LONGEST] ?? '') || (characters.length > LONGEST && kept.endsWith('\u200d'))) kept = kept.replace(LAST, '');
  return kept.trim();
}

export class Interests extends EventTarget {
  #field;
  #tags; // the list that the field stands behind
  #all = [];

  /** A change is told by the event "change". */
  constructor({ field, tags }) {
    super();
    this.#field = field;
    this.#tags = tags;
    for (const text of recall('interests', [])) this.#add(String(text));
    field.addEventListener('keydown', (event) => {
      if (event.isComposing || event.keyCode === 229) return;
      if (event.key === 'Enter' || event.key === ',') {
        event.preventDefault();
        this.take();
      } else if (event.key === 'Backspace' && field.value === '' && this.#all.length > 0) {
        this.#remove(this.#all.at(-1));
      }
    });
    field.addEventListener('change', () => this.take());
  }

  get all() { return [...this.#all]; }

  /** Takes what stands in the field; several interests may be parted by commas. */
  take() {
    const before = this.#all.length;
    for (const text of this.#field.value.split(/[,;、，]/u)) this.#add(text);
    this.#field.value = '';
    if (this.#all.length !== before) this.#changed();
  }

  #add(text) {
    const tag = interest(text);
    if (tag === '' || this.#all.length >= MOST) return;
    if (this.#all.some((other) => other.toLowerCase() === tag.toLowerCase())) return;
    this.#all.push(tag);

    const item = document.createElement('li');
    const button = document.createElement('button');
    const name = document.createElement('bdi');
    const cross = document.createElement('span');
    button.type = 'button';
    button.className = 'tag';
    button.setAttribute('aria-label', words.removeInterest(tag));
    name.textContent = tag;
    cross.textContent = '×';
    cross.ariaHidden = 'true';
    button.append(name, cross);
    button.addEventListener('click', () => {
      this.#remove(tag);
      this.#field.focus();
    });
    item.append(button);
    this.#tags.append(item);
    this.#full();
  }

  #remove(tag) {
    const at = this.#all.indexOf(tag);
    this.#all.splice(at, 1);
    this.#tags.children[at].remove();
    this.#full();
    this.#changed();
  }

  #full() {
    this.#field.hidden = this.#all.length >= MOST;
  }

  #changed() {
    remember('interests', this.#all);
    this.dispatchEvent(new Event('change'));
  }
}
