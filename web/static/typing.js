// What the stranger is told of our typing: not every key, but every few seconds that it
// goes on, and that it has ended.

const EVERY = 3_000; // milliseconds; how often the server is told at most

export class Typing {
  #tell;
  #wanted = false;
  #told = false;
  #toldAt = -Infinity;
  #timer = 0;

  /** tell(on) tells the server, and returns false where nobody is there to be told. */
  constructor(tell) { this.#tell = tell; }

  /** The user types, or no longer. */
  set(on) {
    this.#wanted = on;
    this.#say();
  }

  /** The server has cleared it, or will: nothing needs to be said. */
  forget() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#wanted = this.#told = false;
  }

  #say() {
    if (this.#timer) return;
    const wait = this.#toldAt + EVERY - Date.now();
    if (!this.#wanted) {
      if (this.#told) this.#tell(false);
      this.#told = false;
    } else if (wait <= 0) {
      if (!this.#tell(true)) return;
      this.#told = true;
      this.#toldAt = Date.now();
    } else if (!this.#told) { // told, and taken back: later, if it is still so
      this.#timer = setTimeout(() => {
        this.#timer = 0;
        if (this.#wanted) this.#say();
      }, wait);
    }
  }
}
