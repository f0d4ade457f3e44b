// Interests as tags: typed, taken away again, and remembered by this browser.

import { recall, remember } from './memory.js';
import { words } from './words.js';

const MOST = 10; // as the server has it
const LONGEST = 32;

/** text as an interest, or '' where nothing that can be seen is left of it. */
export function interest(text) {
  const clean = text.normalize('NFC').replace(/(?![\u200c\u200d\t\n])[\p{Cc}\p{Cf}]/gu, '').replace(/\s+/gu, ' ').trim();
  if (!/[\p{L}\p{N}\p{P}\p{S}]/u.test(clean)) return '';
  return [...clean].slice(0, LONGEST).join('').trim();
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
