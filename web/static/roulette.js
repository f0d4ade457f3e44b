// A client for Roulette: one chat connection that comes back by itself.
//
//     import { Roulette } from './roulette.js';
//
//     const chat = new Roulette();
//     chat.addEventListener('state', () => console.log(chat.state));
//     chat.addEventListener('paired', () => chat.send('Hello'));
//     chat.addEventListener('message', (event) => console.log('Stranger:', event.data));
//     chat.connect();
//     chat.next(['go', 'music']);
//
// States, and what leads from one to the next:
//
//     closed ──connect()──► connecting ──► idle ──next()──► looking ──► chatting ──► left
//                                           ▲                 ▲  │         │ ▲        │
//                                           │                 │  └──stop()─┤ └next() ─┤
//                                           └─────────────────┼────────────┘          │
//                                                             └──────────next()───────┘
//     all of these ──connection lost──► reconnecting ──► idle, looking or left, as before
//     all of these ──a close code that forbids more──► ended ──connect(), next()──► connecting
//     all of these ──close()──► closed
//
// After a lost connection a client that was looking looks again; one that was in a
// chat has lost its partner, and is in the state left: what was written for one
// stranger never reaches another.
//
// It speaks the subprotocol roulette.v1. Where the server does not, it falls back to
// plain chat, in the one state "open": there every message is chat, the server pairs
// when it likes and says nothing of it, next() comes back on a new connection and
// stop() closes it. Browsers do not tell a server that is away from one that lacks the
// subprotocol, so until the first success each attempt is made both ways.

/** What the server answers to a plain client's message that reached nobody. */
export const NO_PARTNER = 'Sorry you dont have partner yet, check back in a minute';

/** The largest message in bytes that the server takes, where it does not say. */
export const MAX_MESSAGE = 64 * 1024;

export const SUBPROTOCOL = 'roulette.v1';

const SEPARATOR = '\u001e'; // begins a control record, and never a chat message

const FIRST_DELAY = 1_000; // milliseconds, as all times here
const LONGEST_DELAY = 30_000;
const DRAIN_DELAY = 5_000; // a draining server's clients come back spread over this
const HANDSHAKE_TIMEOUT = 15_000;
const STEADY = 10_000; // a connection that lasted this long was a good one
const TYPING_EVERY = 3_000; // how often the server is told at most
const ASK_AGAIN = 3_000; // after a next() that the rate limit swallowed

const encoder = new TextEncoder();

/** The chat's address on the host that page came from: ws for http, wss for https. */
export function chatURL(page = location.href, path = '/ws') {
  const url = new URL(path, page);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.search = '';
  url.hash = '';
  return url.href;
}

/**
 * Whether a connection that ended with this close code may be tried again. What
 * passes with time may: the server going (1001), the network (1005, 1006, 1015),
 * trouble on the server (1011 to 1014), and 44xx by the server's own rule. All
 * else would only happen again.
 */
export function mayReconnect(code) {
  return code === 1001 || code === 1005 || code === 1006 || (code >= 1011 && code <= 1015) ||
    (code >= 4400 && code <= 4499);
}

/**
 * Milliseconds to wait after the given close code and number of attempts that have
 * failed in a row; Infinity where it may not be tried again. random is as
 * Math.random: the wait is spread evenly, so that clients who lost one server
 * together do not come back together.
 */
export function retryDelay(code, attempts, random = Math.random) {
  if (!mayReconnect(code)) return Infinity;
  if (code === 4429) return 10_000 + random() * 50_000;
  let ceiling = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** attempts);
  if (code === 1001) ceiling = Math.max(ceiling, DRAIN_DELAY);
  return 100 + random() * (ceiling - 100);
}

/**
 * The records of a control message, in order; what cannot be read is left out.
 * null if data is no control message but chat.
 */
export function parseRecords(data) {
  if (typeof data !== 'string' || !data.startsWith(SEPARATOR)) return null;
  const records = [];
  for (const text of data.slice(1).split(SEPARATOR)) {
    try {
      const record = JSON.parse(text);
      if (typeof record?.type === 'string') records.push(record);
    } catch {
      // not for us
    }
  }
  return records;
}

/**
 * Events:
 *   state        any of state, retryAt and held has changed
 *   message      a MessageEvent: the stranger said data, a string, or an ArrayBuffer for binary
 *   paired       a stranger was found; detail.common is what both are interested in
 *   left         the stranger is gone; detail.reason is next, stop, disconnected, stalled
 *                or kicked, as the server says, or lost if it was this connection
 *   typing       the stranger began to type, or ceased: detail.on
 *   online       detail.n people are connected
 *   undelivered  the last detail.n messages to detail.pair reached nobody
 *   refused      the server took no notice of a record: detail.code, detail.message
 */
export class Roulette extends EventTarget {
  #url;
  #state = 'closed';
  #lastClose = null;
  #rich = true; // this attempt, or connection, speaks the subprotocol
  #wasRich = false; // some connection did
  #after = 'idle'; // the state that comes after the hello: idle, looking or left

  // What the server said, on this connection.
  #maxMessage = MAX_MESSAGE;
  #pair = 0; // number of the present or last pairing
  #asked = false; // a next() has had no answer yet
  #askTimer = 0;

  #interests = [];

  // What the partner has been told of our typing.
  #typing = false; // wanted
  #toldTyping = false;
  #toldAt = -Infinity;
  #typingTimer = 0;

  // One attempt: the socket and what listens to it.
  #socket = null;
  #attempt = null; // AbortController of the listeners
  #handshakeTimer = 0;
  #openedAt = 0; // 0: not yet

  // Between attempts.
  #attempts = 0; // that failed in a row
  #retryTimer = 0;
  #retryAt = 0; // 0: not waiting
  #held = false; // the server asked for this pause: nothing shortens it

  #wakeups = null; // AbortController of the listeners on window and document

  constructor(url = chatURL()) {
    super();
    this.#url = url;
  }

  /** closed, connecting, idle, looking, chatting, left, open, reconnecting or ended. */
  get state() { return this.#state; }

  /** Number of the present or last pairing on this connection; 0 before the first. */
  get pair() { return this.#pair; }

  /** The largest message in bytes that the server takes. */
  get maxMessage() { return this.#maxMessage; }

  /** When the next attempt is due, in milliseconds since the epoch; 0 while none is. */
  get retryAt() { return this.#retryAt; }

  /** Whether the server asked for the present pause, so that connect() cannot end it. */
  get held() { return this.#held; }

  /** Code and reason of the last close that was not our own, or null. */
  get lastClose() { return this.#lastClose; }

  /** Connects, or tries again at once where the client is waiting to do so. */
  connect() {
    switch (this.#state) {
      case 'closed':
      case 'ended':
        this.#attempts = 0;
        this.#lastClose = null;
        this.#after = 'idle';
        this.#listenForWakeups();
        this.#open('connecting');
        break;
      case 'reconnecting':
        this.#tryNow();
        break;
    }
  }

  /** Ends the connection, and does not come back. */
  close() {
    this.#drop(1000);
    this.#rest('closed');
  }

  /**
   * Leaves the stranger, if there is one, and looks for another, if possible one who
   * shares an interest; without interests those of the last time count. While a
   * connection is being made it is remembered. While the client is looking already
   * only other interests change anything, so that a double press skips nobody.
   */
  next(interests = this.#interests) {
    const changed = JSON.stringify(interests) !== JSON.stringify(this.#interests);
    this.#interests = [...interests];
    switch (this.#state) {
      case 'closed':
      case 'ended':
        this.connect();
        this.#after = 'looking';
        break;
      case 'connecting':
      case 'reconnecting':
        this.#after = 'looking';
        this.#tryNow();
        break;
      case 'open':
        this.#drop(1000);
        this.#open('connecting');
        break;
      case 'looking':
        if (changed) this.#ask();
        break;
      default: // idle, chatting, left
        this.#forgetTyping();
        this.#ask();
        this.#become('looking');
    }
  }

  /** Leaves the stranger, or looks no further, and is idle. */
  stop() {
    switch (this.#state) {
      case 'connecting':
      case 'reconnecting':
        this.#after = 'idle';
        break;
      case 'open':
        this.close();
        break;
      case 'looking':
      case 'chatting':
      case 'left':
        this.#forgetTyping();
        this.#answered();
        this.#record({ type: 'stop' });
        this.#become('idle');
        break;
    }
  }

  /**
   * Sends a string, or binary data. Returns false, and sends nothing, while there is
   * nobody to send to; throws a RangeError for what the server would refuse as too
   * big, and a TypeError for text that it would take for a record.
   */
  send(data) {
    const size = sizeOf(data);
    if (size > this.#maxMessage) throw new RangeError(`${size} of at most ${this.#maxMessage} bytes`);
    if (typeof data === 'string' && data.startsWith(SEPARATOR)) throw new TypeError('begins with U+001E');
    if (this.#state !== 'chatting' && this.#state !== 'open') return false;
    if (this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(data);
    this.#forgetTyping(); // the message says it
    return true;
  }

  /**
   * Says that the user is typing, or no longer. It may be called for every key: the
   * server hears of it every few seconds at most.
   */
  typing(on = true) {
    this.#typing = on;
    this.#tellTyping();
  }

  #tellTyping() {
    if (this.#state !== 'chatting' || this.#typingTimer) return;
    const now = Date.now();
    if (!this.#typing) {
      if (this.#toldTyping) this.#record({ type: 'typing', on: false });
      this.#toldTyping = false;
      return;
    }
    if (this.#toldTyping && now - this.#toldAt < TYPING_EVERY) return;
    if (now - this.#toldAt < TYPING_EVERY) { // told, and taken back: later, if it is still so
      this.#typingTimer = setTimeout(() => {
        this.#typingTimer = 0;
        if (this.#typing) this.#tellTyping();
      }, TYPING_EVERY - (now - this.#toldAt));
      return;
    }
    this.#record({ type: 'typing', on: true });
    this.#toldTyping = true;
    this.#toldAt = now;
  }

  /** The server has cleared it, or will: nothing needs to be said. */
  #forgetTyping() {
    clearTimeout(this.#typingTimer);
    this.#typingTimer = 0;
    this.#typing = this.#toldTyping = false;
  }

  #ask() {
    clearTimeout(this.#askTimer);
    this.#asked = true;
    this.#record({ type: 'next', interests: this.#interests });
  }

  #answered() {
    clearTimeout(this.#askTimer);
    this.#asked = false;
  }

  #record(record) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(`${SEPARATOR}${JSON.stringify(record)}\n`);
  }

  #open(state, rich = true) {
    this.#stopWaiting();
    this.#rich = rich;
    this.#openedAt = 0;
    this.#pair = 0;
    this.#attempt = new AbortController();
    const { signal } = this.#attempt;
    const socket = this.#socket = new WebSocket(this.#url, rich ? [SUBPROTOCOL] : []);
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('open', () => this.#opened(), { signal });
    socket.addEventListener('message', (event) => this.#received(event.data), { signal });
    socket.addEventListener('close', (event) => this.#lost(event.code, event.reason), { signal });
    this.#handshakeTimer = setTimeout(() => this.#lost(1006, ''), HANDSHAKE_TIMEOUT);
    this.#become(state);
  }

  #opened() {
    this.#openedAt = Date.now();
    if (this.#socket.protocol === SUBPROTOCOL) {
      this.#wasRich = true; // ready with the hello
      return;
    }
    clearTimeout(this.#handshakeTimer);
    this.#rich = false;
    this.#maxMessage = MAX_MESSAGE;
    this.#become('open');
  }

  #received(data) {
    if (!this.#rich) {
      if (data === NO_PARTNER) {
        this.#tell('undelivered', { pair: 0, n: 1 });
      } else {
        this.dispatchEvent(new MessageEvent('message', { data }));
      }
      return;
    }
    const records = parseRecords(data);
    if (records === null) {
      // What comes behind our own next() or stop() is from somebody we have left.
      if (this.#state === 'chatting') this.dispatchEvent(new MessageEvent('message', { data }));
      return;
    }
    const socket = this.#socket;
    for (const record of records) {
      if (this.#socket !== socket) break; // a listener has closed it
      this.#obey(record);
    }
  }

  #obey(record) {
    switch (record.type) {
      case 'hello':
        this.#welcome(record);
        break;
      case 'waiting':
        if (this.#state === 'looking' || this.#state === 'chatting') {
          this.#answered();
          this.#become('looking');
        }
        break;
      case 'paired':
        // After stop() it is no longer wanted, which the server is about to read.
        if (this.#state !== 'looking' && this.#state !== 'chatting') break;
        this.#answered();
        this.#forgetTyping();
        this.#pair = record.pair;
        this.#become('chatting');
        this.#tell('paired', { pair: record.pair, common: Array.isArray(record.common) ? record.common.map(String) : [] });
        break;
      case 'left':
        if (this.#state !== 'chatting' || record.pair !== this.#pair) break;
        this.#forgetTyping();
        this.#become('left');
        this.#tell('left', { pair: record.pair, reason: String(record.reason) });
        break;
      case 'typing':
        if (this.#state === 'chatting' && record.pair === this.#pair) this.#tell('typing', { on: record.on === true });
        break;
      case 'online':
        if (Number.isFinite(record.n)) this.#tell('online', { n: record.n });
        break;
      case 'undelivered':
        this.#tell('undelivered', { pair: record.pair, n: record.n });
        break;
      case 'error':
        this.#refused(record);
        break;
    }
  }

  #welcome({ online, max_message: maxMessage }) {
    if (this.#state !== 'connecting' && this.#state !== 'reconnecting') return;
    clearTimeout(this.#handshakeTimer);
    this.#maxMessage = maxMessage > 0 ? maxMessage : MAX_MESSAGE;
    const state = this.#after;
    if (state === 'looking') this.#ask();
    this.#become(state);
    if (Number.isFinite(online)) this.#tell('online', { n: online });
  }

  #refused({ code, message }) {
    if (this.#asked && this.#state === 'looking') {
      if (code === 'rate_limited') {
        clearTimeout(this.#askTimer);
        this.#askTimer = setTimeout(() => this.#ask(), ASK_AGAIN);
      } else { // it will not do: say what is true
        this.#answered();
        this.#become('idle');
      }
    }
    this.#tell('refused', { code: String(code), message: String(message) });
  }

  #lost(code, reason) {
    const opened = this.#openedAt > 0;
    // Only a connection that lasted forgives the failures before it. Otherwise a
    // server that accepts and hangs up would be asked without pause.
    if (opened && Date.now() - this.#openedAt >= STEADY) this.#attempts = 0;
    const before = this.#state;
    const { pair } = this;
    this.#drop();
    if (this.#rich && !opened && !this.#wasRich) {
      this.#open(before, false);
      return;
    }
    this.#lastClose = { code, reason };
    if (before === 'chatting' || before === 'left') this.#after = 'left';
    else if (before === 'looking' || before === 'idle') this.#after = before;

    const delay = retryDelay(code, this.#attempts);
    if (delay === Infinity) {
      this.#rest('ended');
    } else {
      this.#attempts++;
      this.#held = code === 4429;
      this.#retryAt = Date.now() + delay;
      this.#retryTimer = setTimeout(() => this.#open('reconnecting'), delay);
      this.#become('reconnecting');
    }
    if (before === 'chatting') this.#tell('left', { pair, reason: 'lost' });
  }

  /** Lets go of the socket, whatever state it is in: nothing it does counts any more. */
  #drop(code) {
    clearTimeout(this.#handshakeTimer);
    this.#answered();
    this.#forgetTyping();
    this.#attempt?.abort();
    this.#socket?.close(code);
    this.#attempt = this.#socket = null;
  }

  #rest(state) {
    this.#stopWaiting();
    this.#wakeups?.abort();
    this.#wakeups = null;
    this.#become(state);
  }

  #stopWaiting() {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = this.#retryAt = 0;
    this.#held = false;
  }

  #tryNow() {
    if (this.#retryAt > 0 && !this.#held) this.#open('reconnecting');
  }

  /** A network that is back, and a page that is looked at again, are worth a try at once. */
  #listenForWakeups() {
    this.#wakeups = new AbortController();
    const { signal } = this.#wakeups;
    addEventListener('online', () => this.#tryNow(), { signal });
    addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.#tryNow();
    }, { signal, capture: true });
  }

  #become(state) {
    this.#state = state;
    this.dispatchEvent(new Event('state'));
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function sizeOf(data) {
  if (typeof data === 'string') return encoder.encode(data).length;
  return data.size ?? data.byteLength;
}
