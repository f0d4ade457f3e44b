// Whether the way to the server is open, there and back. A browser answers WebSocket
// pings for a page that reads nothing and shows a page none of them, so the page asks
// with records of its own: ping, which the server answers with pong.
//
//     nothing sent for a while ─┐
//     somebody acts, and        ├─► ping ──5 s──► slow ──10 s──► lost
//       nothing was heard       │     └── pong ─► all is well
//     a hint from the browser ──┘
//
// A quiet chat costs one ping in the time that the server names, and the server sends
// such a client none of its own.

const QUIET = 3_000; // milliseconds: what was heard less long ago still counts
const SLOW = 5_000; // after a ping
const LOST = 15_000; // after a ping
const LATE = 2_000; // a timer that is later has slept, with the machine

export class Heartbeat {
  #ping; // sends a number
  #slow; // is told whether the way is slow
  #lost; // is told that it is no way any more
  #every = 0; // milliseconds; 0: the server cannot answer
  #idleTimer = 0; // until a ping is due because nothing was sent
  #actTimer = 0; // until a ping is due because somebody acted
  #answerTimer = 0; // until an answer is late
  #asked = 0; // number of the last ping
  #answered = 0; // and of the last pong
  #heardAt = 0;
  #actedAt = 0;
  #isSlow = false;

  constructor({ ping, slow, lost }) {
    this.#ping = ping;
    this.#slow = slow;
    this.#lost = lost;
  }

  /** Number of the last ping; what was sent before it has arrived when it is answered. */
  get asked() { return this.#asked; }

  /** The server answers, and wants to hear something every so many seconds. */
  start(seconds) {
    this.stop();
    this.#every = seconds * 1_000;
    this.#heardAt = Date.now();
    this.sent();
  }

  stop() {
    clearTimeout(this.#idleTimer);
    clearTimeout(this.#actTimer);
    clearTimeout(this.#answerTimer);
    this.#every = this.#asked = this.#answered = this.#actTimer = this.#answerTimer = 0;
    this.#say(false);
  }

  /** Something was sent: the server knows that we are here. */
  sent() {
    if (this.#every === 0) return;
    clearTimeout(this.#idleTimer);
    // Spread, so that many who came together do not ask together.
    this.#idleTimer = setTimeout(() => this.ask(), this.#every * (0.8 + 0.2 * Math.random()));
  }

  /** Something came from the server. */
  heard() { this.#heardAt = Date.now(); }

  /** Somebody acts, and would like to know that it arrives. */
  acted() {
    if (this.#every === 0) return;
    this.#actedAt = Date.now();
    if (!this.#actTimer && !this.#waiting) this.#askWhenQuiet();
  }

  /** Asks as soon as nothing was heard for a while, if somebody has acted since the last that was. */
  #askWhenQuiet() {
    const wait = this.#heardAt + QUIET - Date.now();
    if (wait <= 0) {
      this.ask();
      return;
    }
    this.#actTimer = setTimeout(() => {
      this.#actTimer = 0;
      if (this.#actedAt >= this.#heardAt) this.#askWhenQuiet();
    }, wait);
  }

  /** Asks now, if no question is open. */
  ask() {
    if (this.#every === 0 || this.#waiting) return;
    this.#ping(++this.#asked);
    this.sent();
    this.#await(SLOW, () => {
      this.#say(true);
      this.#await(LOST - SLOW, () => this.#lost());
    });
  }

  /** The answer to ping n; those before it were answered, too. */
  answered(n) {
    if (!Number.isSafeInteger(n) || n <= this.#answered || n > this.#asked) return;
    this.#answered = n;
    if (this.#waiting) return;
    clearTimeout(this.#answerTimer);
    this.#say(false);
  }

  get #waiting() { return this.#answered < this.#asked; }

  #await(wait, late) {
    clearTimeout(this.#answerTimer);
    const due = Date.now() + wait;
    this.#answerTimer = setTimeout(() => {
      if (Date.now() - due < LATE) {
        late();
        return;
      }
      // The machine, or this tab, has slept, and the answer with it.
      this.#answered = this.#asked;
      this.ask();
    }, wait);
  }

  #say(slow) {
    if (this.#isSlow === slow) return;
    this.#isSlow = slow;
    this.#slow(slow);
  }
}
