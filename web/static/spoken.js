// The languages that somebody says they speak, as tags: chosen from a list, taken away
// again, and remembered by this browser.

import { recall, remember } from './memory.js';
import { format, words } from './words.js';

const MOST = 5; // as the server has it

const KNOWN = 'ar bg bn ca cs da de el en es et fa fi fr gu he hi hr hu id it ja ko lt lv ml mr ms nb nl pa pl pt ro ru sk sl sr sv sw ta te th tl tr uk ur vi zh'.split(' ');

/** Whether code can be the primary tag of a language. */
export function isLanguage(code) { return /^[a-z]{2,8}$/.test(code); }

/** The name of a language in the language of the page. */
export function languageName(code) {
  try {
    return new Intl.DisplayNames(format.tag, { type: 'language' }).of(code) ?? code;
  } catch {
    return code; // there are more that can be than the browser knows
  }
}

export class Spoken extends EventTarget {
  #select;
  #tags;
  #all = [];

  /** A change is told by the event "change". */
  constructor({ select, tags }) {
    super();
    this.#select = select;
    this.#tags = tags;
    this.#all = recall('spoken', []).filter((code) => KNOWN.includes(code)).slice(0, MOST);
    select.addEventListener('change', () => {
      if (select.value !== '') this.#set([...this.#all, select.value]);
    });
    this.show();
  }

  get all() { return [...this.#all]; }

  /** Shows the tags, in the present language of the page. */
  show() {
    this.#tags.replaceChildren(...this.#all.map((code) => {
      const item = document.createElement('li');
      const button = document.createElement('button');
      const name = document.createElement('bdi');
      const cross = document.createElement('span');
      button.type = 'button';
      button.className = 'tag';
      name.textContent = languageName(code);
      button.setAttribute('aria-label', words.removeInterest(name.textContent));
      cross.textContent = '×';
      cross.setAttribute('aria-hidden', 'true');
      button.append(name, cross);
      button.addEventListener('click', () => {
        this.#set(this.#all.filter((other) => other !== code));
        this.#select.focus();
      });
      item.append(button);
      return item;
    }));
    const rest = KNOWN.filter((code) => !this.#all.includes(code)).map((code) => [languageName(code), code]);
    rest.sort(([a], [b]) => a.localeCompare(b, format.tag));
    this.#select.replaceChildren(new Option(words.addLanguage, ''), ...rest.map(([name, code]) => new Option(name, code)));
    this.#select.hidden = this.#all.length >= MOST;
  }

  #set(all) {
    this.#all = all;
    remember('spoken', all);
    this.show();
    this.dispatchEvent(new Event('change'));
  }
}
