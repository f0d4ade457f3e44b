// The log of the chat. It is only ever appended to, and only as text: nothing that
// a stranger writes is parsed as anything else.

import { linked } from './links.js';
import { recognise } from './picture.js';
import { format, words } from './words.js';

const NEAR_THE_END = 64; // pixels
const MOST = 2000; // lines; the oldest go first
const LONG_TEXT = 6000; // characters, and lines, above which a message is folded
const LONG_LINES = 60;

export class Transcript {
  #scroller; // what scrolls
  #log; // role="log", inside the scroller
  #jump; // the button that leads to the newest line
  #atEnd = true; // whether the reader is; layout alone does not change it
  #shape = ''; // of the scroller and its content, when it was last seen to

  constructor({ scroller, log, jump }) {
    this.#scroller = scroller;
    this.#log = log;
    this.#jump = jump;
    scroller.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    jump.addEventListener('click', () => this.#toEnd());
    // A phone that is turned, or its keyboard: what was last stays in sight.
    const observer = new ResizeObserver(() => this.#settle());
    observer.observe(scroller);
    observer.observe(log);
  }

  /** Appends what somebody said, from 'you' or 'stranger', and returns its element. */
  say(from, text) {
    const said = element('p', 'text');
    said.dir = 'auto';
    said.append(...linked(text));
    const message = this.#message(from, said);
    if (text.length > LONG_TEXT || text.split('\n', LONG_LINES + 1).length > LONG_LINES) this.#fold(message);
    return message;
  }

  /**
   * Appends a picture, a Uint8Array or ArrayBuffer, and returns its element. Only its
   * sender sees it at once. Of a file that is no picture only the size is told.
   */
  attach(from, data) {
    const bytes = new Uint8Array(data);
    const picture = recognise(bytes);
    if (!picture) {
      this.note(words.binary(format.number(bytes.length)));
      return null;
    }
    const blob = new Blob([bytes], { type: picture.type });
    const frame = element('div', 'picture');
    const message = this.#message(from, frame);
    if (from === 'you') {
      this.#show(frame, blob, from);
      return message;
    }
    const button = element('button', 'quiet', words.show);
    button.type = 'button';
    button.addEventListener('click', () => this.#show(frame, blob, from), { once: true });
    frame.append(element('p', '', words.picture(format.size(bytes.length))), button);
    this.#settle();
    return message;
  }

  async #show(frame, blob, from) {
    const image = new Image();
    image.alt = words.pictureOf[from];
    image.src = URL.createObjectURL(blob);
    try {
      await image.decode();
      frame.replaceChildren(image);
    } catch {
      frame.replaceChildren(element('p', '', words.pictureBroken));
    }
    URL.revokeObjectURL(image.src); // what is decoded stays
    this.#settle();
  }

  /** Appends a line that nobody said: it is about the chat. */
  note(text, kind = '') {
    this.#append(element('p', `note ${kind}`, text), false);
  }

  /** Says at a message of ours that nobody got it. */
  undelivered(message) {
    message.classList.add('undelivered');
    message.append(element('p', 'fate', words.undelivered));
    this.#settle();
  }

  /** The whole log as plain text, for a file. */
  text() {
    return [...this.#log.children].map((line) => {
      if (line.classList.contains('note')) return `--- ${line.textContent}\n`;
      const said = line.querySelector('.text')?.textContent ?? `[${line.querySelector('img')?.alt ?? line.querySelector('.picture').textContent}]`;
      const fate = line.querySelector('.fate');
      return `${line.querySelector('time').dateTime} ${line.querySelector('.who').textContent}: ${said}${fate ? ` (${fate.textContent})` : ''}\n`;
    }).join('');
  }

  /** Forgets everything. */
  clear() {
    this.#log.replaceChildren();
    this.#toEnd();
  }

  #message(from, content, at = new Date()) {
    const message = element('div', `message ${from}`);
    const bubble = element('div', 'bubble');
    const time = element('time', '', format.time(at));
    time.dateTime = at.toISOString();
    bubble.append(content, time);
    message.append(element('span', 'who', words[from]), bubble);
    this.#append(message, from === 'you');
    return message;
  }

  /** Shows the beginning only, until it is asked for the rest. */
  #fold(message) {
    const button = element('button', 'quiet', words.showAll);
    button.type = 'button';
    button.addEventListener('click', () => {
      message.classList.remove('folded');
      button.remove();
    });
    message.classList.add('folded');
    message.querySelector('.bubble').append(button);
    this.#settle();
  }

  #append(line, follow) {
    this.#log.append(line);
    if (this.#log.childElementCount > MOST) this.#log.firstElementChild.remove();
    if (follow || this.#atEnd) {
      this.#toEnd();
    } else {
      this.#jump.hidden = false;
    }
  }

  #toEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#atEnd = true;
    this.#jump.hidden = true;
    this.#shape = this.#measure();
  }

  #scrolled() {
    if (this.#measure() !== this.#shape) {
      this.#settle(); // new layout moved the text, not the reader
      return;
    }
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    this.#atEnd = scrollHeight - scrollTop - clientHeight < NEAR_THE_END;
    if (this.#atEnd) this.#jump.hidden = true;
  }

  /** After a change of layout: whoever was at the end is again. */
  #settle() {
    if (this.#atEnd) this.#toEnd();
    this.#shape = this.#measure();
  }

  #measure() {
    const { scrollHeight, clientHeight, clientWidth } = this.#scroller;
    return `${scrollHeight} ${clientHeight} ${clientWidth}`;
  }
}

function element(name, className, text = '') {
  const node = document.createElement(name);
  if (className) node.className = className.trim();
  node.textContent = text;
  return node;
}
