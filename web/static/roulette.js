// A client for Roulette: one chat connection that comes back by itself.
//
//     import { Roulette } from './roulette.js';
//
//     const chat = new Roulette();
//     chat.addEventListener('state', () => console.log(chat.state));
//     chat.addEventListener('message', (event) => console.log('Stranger:', event.data));
//     chat.connect();
//     chat.send('Hello');
//
// States, and what leads from one to the next:
//
//     idle ──connect()──► connecting ──► connected ──lost──► reconnecting
//      ▲                       │             ▲                 │    │
//      └──close(), from any    └──lost───────┼────────────────►┘    │
//                                            └──────────────────────┘
//     any ──a close code that forbids it──► ended ──connect()──► connecting
//
// It speaks the plain protocol: no subprotocol, every message is chat. So after a
// reconnection the person on the other side may be someone new.

/** What the server answers to a plain client's message that reached nobody. */
export const NO_PARTNER = 'Sorry you dont have partner yet, check back in a minute';

/** The largest message in bytes that the server takes, where it is not told otherwise. */
export const MAX_MESSAGE = 64 * 1024;

const FIRST_DELAY = 1_000; // milliseconds, as all times here
const LONGEST_DELAY = 30_000;
const DRAIN_DELAY = 5_000; // a draining server's clients come back spread over this
const HANDSHAKE_TIMEOUT = 15_000;
const STEADY = 10_000; // a connection that lasted this long was a good one

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
 * Events:
 *   state        any of state, retryAt and held has changed
 *   message      a MessageEvent; data is a string, or a Blob for binary
 *   undelivered  the last message reached nobody; detail.text is the server's word
 */
export class Roulette extends EventTarget {
  #url;
  #state = 'idle';
  #lastClose = null;

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

  /** idle, connecting, connected, reconnecting or ended. */
  get state() { return this.#state; }

  /** When the next attempt is due, in milliseconds since the epoch; 0 while none is. */
  get retryAt() { return this.#retryAt; }

  /** Whether the server asked for the present pause, so that connect() cannot end it. */
  get held() { return this.#held; }

  /** Code and reason of the last close that was not our own, or null. */
  get lastClose() { return this.#lastClose; }

  /** Connects, or tries again at once where the client is waiting to do so. */
  connect() {
    switch (this.#state) {
      case 'idle':
      case 'ended':
        this.#attempts = 0;
        this.#lastClose = null;
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
    this.#rest('idle');
  }

  /**
   * Sends a string, or binary data. Returns false, and sends nothing, while not
   * connected; throws a RangeError for what the server would refuse as too big.
   */
  send(data) {
    const size = sizeOf(data);
    if (size > MAX_MESSAGE) throw new RangeError(`${size} of at most ${MAX_MESSAGE} bytes`);
    if (this.#state !== 'connected' || this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(data);
    return true;
  }

  #open(state) {
    this.#stopWaiting();
    this.#openedAt = 0;
    this.#attempt = new AbortController();
    const { signal } = this.#attempt;
    const socket = this.#socket = new WebSocket(this.#url);
    socket.binaryType = 'blob';
    socket.addEventListener('open', () => this.#opened(), { signal });
    socket.addEventListener('message', (event) => this.#received(event.data), { signal });
    socket.addEventListener('close', (event) => this.#lost(event.code, event.reason), { signal });
    this.#handshakeTimer = setTimeout(() => this.#lost(1006, ''), HANDSHAKE_TIMEOUT);
    this.#become(state);
  }

  #opened() {
    clearTimeout(this.#handshakeTimer);
    this.#openedAt = Date.now();
    this.#become('connected');
  }

  #received(data) {
    if (data === NO_PARTNER) {
      this.dispatchEvent(new CustomEvent('undelivered', { detail: { text: data } }));
    } else {
      this.dispatchEvent(new MessageEvent('message', { data }));
    }
  }

  #lost(code, reason) {
    // Only a connection that lasted forgives the failures before it. Otherwise a
    // server that accepts and hangs up would be asked without pause.
    if (this.#openedAt > 0 && Date.now() - this.#openedAt >= STEADY) this.#attempts = 0;
    this.#drop();
    this.#lastClose = { code, reason };

    const delay = retryDelay(code, this.#attempts);
    if (delay === Infinity) {
      this.#rest('ended');
      return;
    }
    this.#attempts++;
    this.#held = code === 4429;
    this.#retryAt = Date.now() + delay;
    this.#retryTimer = setTimeout(() => this.#open('reconnecting'), delay);
    this.#become('reconnecting');
  }

  /** Lets go of the socket, whatever state it is in: nothing it does counts any more. */
  #drop(code) {
    clearTimeout(this.#handshakeTimer);
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
}

function sizeOf(data) {
  if (typeof data === 'string') return encoder.encode(data).length;
  return data.size ?? data.byteLength;
}
