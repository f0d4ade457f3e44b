// The log of the chat. It is only ever appended to, and only as text: nothing that
// a stranger writes is parsed as anything else.

import { foldFormer } from './former.js';
import { enlarge } from './large.js';
import { linked } from './links.js';
import { recognise } from './picture.js';
import { FIRST, MORE, pieceEnd } from './pieces.js';
import { asText } from './saved.js';
import { format, words } from './words.js';

const NEAR_THE_END = 64; // pixels
const MOST = 2000; // lines, and characters laid out; the oldest lines go first
const MOST_LAID_OUT = 400_000;
const MOST_HELD = 16e6; // characters, and bytes of pictures, that can still be asked for
const AT_ONCE = 6000; // characters laid out before the page has had time for anything else
const MOST_KEPT = 500; // lines, and characters, that outlive a reload
const MOST_KEPT_SIZE = 200_000;
const LEAST = 100; // characters that a line counts as, whatever is in it
const PAUSE = 8; // milliseconds; for what somebody presses

export class Transcript {
  #scroller; // what scrolls
  #log; // role="log", inside the scroller
  #filter; // of words, or null
  #jump; // the button that leads to the newest line
  #atEnd = true; // whether the reader is; layout alone does not change it
  #shape = ''; // of the scroller and its content, when it was last seen to
  #lines = []; // what the children of the log say, for asText
  #laidOut = 0; // characters in the log
  #held = 0; // characters and bytes of what was said in it
  #spent = 0; // characters laid out since the page had time for anything else
  #waiting = []; // lines that came when that was too much already
  #timer = 0;
  #lineOf = new WeakMap(); // of an element of the log

  constructor({ scroller, log, jump, filter }) {
    this.#filter = filter;
    this.#scroller = scroller;
    this.#log = log;
    this.#jump = jump;
    scroller.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    jump.addEventListener('click', () => this.#toEnd());
    // A phone that is turned, or its keyboard: what was last stays in sight.
    if (typeof ResizeObserver === 'function') {
      const observer = new ResizeObserver(() => this.#settle());
      observer.observe(scroller);
      observer.observe(log);
    } else {
      addEventListener('resize', () => this.#settle());
    }
    log.addEventListener('copy', (event) => this.#copy(event));
  }

  /** Appends what somebody said, from 'you' or 'stranger', and returns its element. */
  say(from, text, at = new Date()) {
    const said = element('p', 'text');
    said.dir = 'auto';
    const filter = from === 'stranger' ? this.#filter : null;
    const [first, end] = piece(text, 0, FIRST, filter);
    if (end === text.length) {
      said.append(...first);
      return this.#message(from, said, { text, at }, end);
    }
    const shown = element('span', 'piece');
    shown.append(...first);
    said.append(shown);
    const message = this.#message(from, said, { text, at }, end);
    this.#fold(message, said, text, end, filter);
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
    const message = this.#message(from, frame, { text: `[${words.pictureOf[from]}: ${picture.type.slice('image/'.length).toUpperCase()}, ${picture.width} × ${picture.height}, ${format.size(bytes.length)}]`, held: bytes.length });
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
    } catch {
      URL.revokeObjectURL(image.src);
      frame.replaceChildren(element('p', '', words.pictureBroken));
      this.#settle();
      return;
    }
    URL.revokeObjectURL(image.src); // what is decoded stays
    const large = element('button', 'enlarge');
    large.type = 'button';
    large.title = words.enlarge;
    large.append(image);
    large.addEventListener('click', () => enlarge(image));
    const hide = element('button', 'quiet', words.hidePicture);
    hide.type = 'button';
    hide.addEventListener('click', () => {
      const show = element('button', 'quiet', words.show);
      show.type = 'button';
      show.addEventListener('click', () => {
        frame.replaceChildren(large, hide);
        this.#settle();
      });
      frame.replaceChildren(show);
      this.#settle();
    });
    frame.replaceChildren(large, hide);
    this.#settle();
  }

  /** Appends a line that nobody said: it is about the chat. */
  note(text, kind = '', at = new Date()) {
    this.#append(element('p', `note ${kind}`, text), { note: kind || 'note', at, text }, text.length);
  }

  /** Begins the next chat with such a line; the one before folds away. */
  begin(text) {
    const all = [...this.#lines, ...this.#waiting];
    const at = all.map(({ note }) => note).lastIndexOf('new');
    if (at >= 0) foldFormer(all[at].element, all.slice(at + 1).map(({ element }) => element));
    this.note(text, 'new');
    this.#toEnd();
  }

  /**
   * Says at a message of ours what became of it: onItsWay, delivered, undelivered,
   * uncertain, or sent, of which there is nothing to say. number is its own in the chat.
   */
  mark(message, fate, number) {
    const line = this.#lineOf.get(message);
    if (!line) return;
    if (number) line.number = number;
    message.classList.remove(line.fate);
    message.classList.add(fate);
    message.querySelector('.mark')?.remove();
    for (const old of message.querySelectorAll('.fate, .again')) old.remove();
    line.fate = fate;
    if (fate === 'onItsWay' || fate === 'delivered') {
      const mark = element('span', 'mark'); // without text: a screen reader is not told each time
      mark.setAttribute('role', 'img');
      mark.setAttribute('aria-label', words[fate]);
      mark.title = words[fate];
      message.querySelector('.bubble').append(mark);
    } else if (fate !== 'sent') {
      message.append(element('p', 'fate', words[fate]));
    }
    this.#settle();
  }

  /** Offers at a message that did not arrive to have it again. */
  offerAgain(message, again) {
    const button = element('button', 'quiet again', words.writeAgain);
    button.type = 'button';
    button.addEventListener('click', () => {
      button.remove();
      again();
    });
    message.querySelector('.again')?.remove();
    message.append(button);
    this.#settle();
  }

  /** The present chat, or the last one, as plain text for a file. */
  text() { return asText(this.#present()); }

  /** The same for restore: plain values, the latest of them, and of pictures only their names. */
  kept() {
    let size = 0;
    const lines = [];
    for (const { note, from, at, text, fate, number } of [...this.#present(), ...this.#waiting].reverse()) {
      size += text.length;
      if (lines.length === MOST_KEPT || size > MOST_KEPT_SIZE) break;
      lines.unshift({ note, from, at: at.getTime(), text, fate, number });
    }
    return lines;
  }

  /** Shows what was kept, and returns our messages by their numbers: { element, data }. */
  restore(lines) {
    const ours = new Map();
    for (const { note, from, at, text, fate, number } of lines) {
      if (note) {
        this.note(String(text), note === 'note' ? '' : note, new Date(at));
        continue;
      }
      const message = this.say(from === 'you' ? 'you' : 'stranger', String(text), new Date(at));
      if (number > 0) {
        this.mark(message, fate, number);
        ours.set(number, { element: message, data: text });
      }
    }
    return ours;
  }

  #present() {
    const begin = this.#lines.findLastIndex?.(({ note }) => note === 'new') ?? this.#lines.map(({ note }) => note).lastIndexOf('new');
    return this.#lines.slice(Math.max(0, begin));
  }

  /** Forgets everything. */
  clear() {
    clearTimeout(this.#timer);
    this.#timer = this.#laidOut = this.#held = this.#spent = 0;
    this.#waiting = [];
    this.#lines = [];
    this.#log.replaceChildren();
    this.#toEnd();
  }

  /** What is copied out of several messages says, line for line, who said what. */
  #copy(event) {
    const selection = document.getSelection?.();
    if (!selection || selection.isCollapsed) return;
    const lines = this.#lines.filter(({ element }) => selection.containsNode(element, true));
    if (lines.length < 2) return;
    event.clipboardData.setData('text/plain', asText(lines));
    event.preventDefault();
  }

  #message(from, content, line, size = 0) {
    const { at = new Date() } = line;
    const message = element('div', `message ${from}`);
    const bubble = element('div', 'bubble');
    const time = element('time', '', format.time(at));
    time.dateTime = at.toISOString();
    bubble.append(content, time);
    message.append(element('span', 'who', words[from]), bubble);
    this.#append(message, { ...line, from, at }, size);
    return message;
  }

  /** Shows the beginning only; the rest when it is asked for, piece by piece, and the page has time in between. */
  #fold(message, said, text, end, filter) {
    const button = element('button', 'quiet', words.showAll);
    button.type = 'button';
    const more = () => {
      const begin = end;
      let nodes;
      [nodes, end] = piece(text, begin, MORE, filter);
      const shown = element('span', 'piece');
      shown.append(...nodes);
      said.append(shown);
      this.#laidOut += end - begin;
      const line = this.#lines.find((line) => line.element === message);
      if (line) line.size += end - begin;
      if (end < text.length && said.isConnected) setTimeout(more, PAUSE);
    };
    button.addEventListener('click', () => {
      message.classList.remove('folded');
      button.remove();
      more();
    });
    message.classList.add('folded');
    message.querySelector('.bubble').append(button);
    this.#settle();
  }

  /** Appends element, of which line is what it says, and size about how much is to be laid out. */
  #append(element, line, size) {
    line.element = element;
    this.#lineOf.set(element, line);
    line.size = Math.max(size, LEAST);
    line.held ??= line.text.length;
    this.#held += line.held;
    if (this.#waiting.push(line) > MOST) this.#held -= this.#waiting.shift().held;
    if (line.from === 'you' || this.#timer === 0) this.#drain();
  }

  /**
   * Lets lines that wait into the log, and has a pause after so many of them: whatever a
   * stranger sends, the page answers to its own user in between. What one said oneself is
   * seen at once, with all that came before it.
   */
  #drain() {
    const before = this.#log.childElementCount;
    const said = this.#waiting.findLastIndex?.(({ from }) => from === 'you') ?? -1;
    for (let n = 0; this.#waiting.length > 0 && (n <= said || this.#spent < AT_ONCE || document.hidden); n++) {
      const line = this.#waiting.shift();
      this.#spent += line.size;
      this.#laidOut += line.size;
      this.#lines.push(line);
      this.#log.append(line.element);
    }
    while (this.#lines.length > MOST || ((this.#laidOut > MOST_LAID_OUT || this.#held > MOST_HELD) && this.#lines.length > 1)) {
      const { element, size, held } = this.#lines.shift();
      this.#laidOut -= size;
      this.#held -= held;
      element.remove();
    }
    if (this.#spent > 0 && this.#timer === 0) {
      this.#timer = setTimeout(() => {
        this.#timer = this.#spent = 0;
        if (this.#waiting.length > 0) this.#drain();
      }, PAUSE);
    }
    if (said >= 0 || this.#atEnd) this.#toEnd();
    else if (this.#log.childElementCount > before) this.#jump.hidden = false;
  }

  #toEnd() {
    if (this.#lines.length > 0) this.#scroller.scrollTop = this.#scroller.scrollHeight; // before, it is the welcome
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

/** The nodes of the piece of text that begins at begin, and where it ends. */
function piece(text, begin, most, filter) {
  let end = pieceEnd(text, begin, most);
  if (filter) end = filter.before(text, begin, end);
  const nodes = linked(text.slice(begin, end), end < text.length);
  return [filter ? filter.veil(nodes) : nodes, end];
}

function element(name, className, text = '') {
  const node = document.createElement(name);
  if (className) node.className = className.trim();
  node.textContent = text;
  return node;
}
