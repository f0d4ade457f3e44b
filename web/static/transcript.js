// The log of the chat. It is only ever appended to, and only as text: nothing that
// a stranger writes is parsed as anything else.

const NEAR_THE_END = 64; // pixels

const clock = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });

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

  /** Appends what somebody said; from is 'you' or 'stranger', name how he is called. */
  say(from, name, text, at = new Date()) {
    const message = element('div', `message ${from}`);
    const bubble = element('div', 'bubble');
    const words = element('p', 'text', text);
    words.dir = 'auto';
    const time = element('time', '', clock.format(at));
    time.dateTime = at.toISOString();
    bubble.append(words, time);
    message.append(element('span', 'who', name), bubble);
    this.#append(message, from === 'you');
  }

  /** Appends a line that nobody said: it is about the chat. */
  note(text) {
    this.#append(element('p', 'note', text), false);
  }

  #append(line, follow) {
    this.#log.append(line);
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
  if (className) node.className = className;
  node.textContent = text;
  return node;
}
