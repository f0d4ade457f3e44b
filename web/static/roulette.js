// A client for Roulette: one chat connection that comes back by itself.
//
//     import { Roulette } from './roulette.js';
//
//     const chat = new Roulette();
//     chat.addEventListener('state', () => console.log(chat.state));
//     chat.addEventListener('paired', () => chat.send('Hello'));
//     chat.addEventListener('message', (event) => console.log('Stranger:', event.data));
//     chat.connect();
//     chat.next({ interests: ['go', 'music'] });
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
//     reconnecting, with a chat that can be resumed ──► chatting
//
// After a lost connection a client that was looking looks again. One that was in a chat
// goes on with it, if both ends and the server can: each message is shown once, or
// reported as lost. Otherwise it has lost its partner, and is in the state left: what was
// written for one stranger never reaches another.
//
// It speaks the subprotocol roulette.v1, and nothing else: whatever fails, it is never
// a plain client, for which the server would choose partners without a word.

import { Heartbeat } from './heartbeat.js';
import { Complaints } from './complaints.js';
import { watchPage } from './presence.js';
import { solve } from './proof.js';
import { CountError } from './ledger.js';
import { Resumption } from './resume.js';
import { askWhy, closeReason, endsChat, isHeld, mayReconnect, retryDelay, returnDelay } from './retry.js';
import { forgetChat, keepChat, keptChat } from './reload.js';
import { Typing } from './typing.js';
import { amount, bytesOf, chatURL, parseRecords, seconds, SEPARATOR, sizeOf, texts, word } from './wire.js';

/** The largest message in bytes that the server takes, where it does not say. */
export const MAX_MESSAGE = 64 * 1024;

export const SUBPROTOCOL = 'roulette.v1';

const CAN = ['heartbeat', 'away', 'people', 'again', 'languages', 'tables', 'resume', 'notice', 'proof', 'report', 'block'];

const HANDSHAKE_TIMEOUT = 15_000; // milliseconds, as all times here
const BROKEN = 4408; // a close that the server may read after all, and that keeps our place
const STEADY = 10_000; // a connection that lasted this long was a good one
const KEEP_EVERY = 1_000; // how often the page is asked what it keeps, at most
const ASK_AGAIN = 3_000; // after a next() that the rate limit swallowed

/**
 * Events:
 *   state        any of state, retryAt, held, reason and slow has changed
 *   message      a MessageEvent: the stranger said data, a string, or an ArrayBuffer for binary
 *   paired       a stranger was found; detail.common is what both are interested in,
 *                detail.languages what both speak, or null where that was not asked;
 *                detail.back whether it is the stranger before, detail.resumes whether the chat
 *                outlives its connections
 *   waiting      nobody was found yet: detail.alone, and detail.patience in seconds or 0
 *   left         the stranger is gone; detail.reason is next, stop, closed, disconnected,
 *                stalled or kicked, as the server says, lost if it was this connection, over if
 *                the chat could not be resumed, or gone if this page was left
 *   typing       the stranger began to type, or ceased: detail.on
 *   away         nobody reads at the other end, or somebody does again: detail.on;
 *                detail.lost where its connection is lost
 *   fate         what became of our messages number detail.from to detail.to of a chat that
 *                is resumed, detail.fate: delivered, undelivered, uncertain, or sent where we left
 *   resumed      the chat goes on: after detail.seconds, detail.own if it was our connection
 *                that was lost, with detail.lost messages of the stranger missing
 *   again        the stranger before wants to come back: detail.pair
 *   online       detail.n people are in the chat
 *   notice       what the operator has to say: detail.code is restart, maintenance, or none
 *                for nothing any more; detail.until is when, in milliseconds since 1970
 *   warned       what we did may have consequences if it goes on: detail.code is reported, or
 *                another word that is not known yet
 *   undelivered  the last detail.n messages to detail.pair reached nobody
 *   uncertain    the same, where nobody knows: the connection was lost on the way
 *   dossiers     strangers, or what they can be reported with, has changed
 *   reported     the report was taken; or unreported, with detail.code
 *   blocked      the stranger is blocked; or unblocked, with detail.code
 *   refused      the server took no notice of a record: detail.code
 */
export class Roulette extends EventTarget {
  #url;
  #state = 'closed';
  #lastClose = null;
  #after = 'idle'; // the state that comes after the hello: idle, looking or left

  // What the server said, on this connection.
  #maxMessage = MAX_MESSAGE;
  #pair = 0; // number of the present or last pairing
  #asked = false; // a next() has had no answer yet
  #askTimer = 0;
  #can = new Set(); // what it and we have agreed on
  #agreeing = false; // our hello has had no answer yet
  #wantsBack = false; // we have asked for the partner before

  // The chat, where it outlives its connections.
  #resumption = null;
  #leaves = null; // one that is over, and whose place is still to be given up
  #brokenAt = 0; // when one of the two was lost; 0: both are there
  #ownBreak = false; // it was us
  #name; // that it is kept under over a reload; '': it is not
  #keeps; // what the page keeps with it
  #kept = null; // what it kept the last time
  #saveTimer = 0;

  #complaints = new Complaints({
    record: (record) => this.#record(record),
    tell: (type, detail) => this.#tell(type, detail),
  });

  #wishes = { interests: [], languages: [], table: '' }; // of the next next()
  #hiding = false; // nobody sees the page
  #heartbeat;
  #slow = false;
  #unconfirmed = 0; // messages of this pairing that no answered ping came after
  #asOfPing = 0; // of these, sent before the last ping

  #typing = new Typing((on) => this.#state === 'chatting' && this.#record({ type: 'typing', on }));

  // One attempt: the socket and what listens to it.
  #socket = null;
  #puzzle = ''; // what the server wants proved
  #attempt = null; // AbortController of the listeners
  #handshakeTimer = 0;
  #openedAt = 0; // 0: not yet

  // Between attempts.
  #attempts = 0; // that failed in a row
  #retryTimer = 0;
  #retryAt = 0; // 0: not waiting
  #held = false; // the server asked for this pause: nothing shortens it
  #reason = ''; // for the pause, or the end
  #bannedUntil = NaN; // with the reason banned: milliseconds since 1970
  #appeal = ''; // and where one can write to

  #wakeups = null; // AbortController of the listeners on window and document

  /**
   * With a name a chat outlives a reload of the page, in this tab's sessionStorage, and
   * with it what keeps() returns.
   */
  constructor(url = chatURL(), { name = '', keeps = () => null } = {}) {
    super();
    this.#url = url;
    this.#name = name;
    this.#keeps = keeps;
    const kept = keptChat(name);
    this.#resumption = Resumption.from(kept?.chat, this.#way());
    if (this.#resumption) this.#kept = kept.page;
    this.#heartbeat = new Heartbeat({
      ping: (n) => {
        this.#asOfPing = this.#unconfirmed;
        this.#record({ type: 'ping', n });
      },
      slow: (slow) => {
        this.#slow = slow;
        this.dispatchEvent(new Event('state'));
      },
      lost: () => this.#lost(1006, ''),
    });
  }

  /** closed, connecting, idle, looking, chatting, left, reconnecting or ended. */
  get state() { return this.#state; }

  /** Number of the present or last pairing on this connection; 0 before the first. */
  get pair() { return this.#pair; }

  /** The largest message in bytes that the server takes. */
  get maxMessage() { return this.#maxMessage; }

  /** When the next attempt is due, in milliseconds since the epoch; 0 while none is. */
  get retryAt() { return this.#retryAt; }

  /** When the ban ends, with the reason banned: milliseconds since 1970, or NaN. */
  get bannedUntil() { return this.#bannedUntil; }

  /** Where somebody who is banned can write to: a mailto: or https: address, or ''. */
  get appeal() { return this.#appeal; }

  /** Whether the server asked for the present pause, so that connect() cannot end it. */
  get held() { return this.#held; }

  /** Why it is waited in reconnecting, or not tried again in ended: a word. */
  get reason() { return this.#reason; }

  /** Whether the server has not answered for a while, though it should have. */
  get slow() { return this.#slow; }

  /** What keeps() returned before the page was loaded again, while its chat may go on; else null. */
  get kept() { return this.#kept; }

  /** Whether the chat outlives its connections, so that fates are told. */
  get resumes() { return this.#resumption !== null; }

  /** Whether both this client and the server can do what the word says. */
  can(word) { return this.#can.has(word); }

  /** Strangers of the last ten minutes who can be reported or blocked, the latest first. */
  get strangers() { return this.#complaints.all; }

  /** Reports one of strangers: reason, text, and shown, its said as the user has seen it. A chat that goes on is to be stopped first. */
  report(stranger, report) { this.#complaints.report(stranger, report); }

  /** Never again is met who this stranger was, in this browser. */
  block(stranger) { this.#complaints.block(stranger); }

  /** Forgets who was met. */
  forget() { this.#complaints.forget(); }

  /** Code and reason of the last close that was not our own, or null. */
  get lastClose() { return this.#lastClose; }

  /** Connects, or tries again at once where the client is waiting to do so. */
  connect() {
    switch (this.#state) {
      case 'closed':
      case 'ended':
        this.#attempts = 0;
        this.#lastClose = null;
        this.#after = this.#resumption ? 'chatting' : 'idle';
        if (this.#resumption) this.#breaks(true);
        this.#listenForWakeups();
        this.#open(this.#resumption ? 'reconnecting' : 'connecting');
        break;
      case 'reconnecting':
        this.#tryNow();
        break;
    }
  }

  /** Ends the connection, and does not come back. */
  close() {
    if (this.#state === 'reconnecting') this.#abandon();
    this.#resumption?.sayHave();
    this.#endChat('us');
    this.#drop(1000);
    this.#rest('closed');
  }

  /**
   * Leaves the stranger, if there is one, and looks for another: if possible one who
   * shares an interest and a language, and only among those at the same table, where
   * one is named. What is left out of wishes is as it was the last time. While a
   * connection is being made it is remembered. While the client is looking already
   * only other wishes change anything, so that a double press skips nobody.
   */
  next(wishes = {}) {
    const before = JSON.stringify(this.#wishes);
    this.#wishes = { ...this.#wishes, ...wishes };
    switch (this.#state) {
      case 'closed':
      case 'ended':
        this.connect();
        this.#after = 'looking';
        break;
      case 'connecting':
      case 'reconnecting':
        this.#abandon();
        this.#after = 'looking';
        this.#tryNow();
        break;
      case 'looking':
        if (JSON.stringify(this.#wishes) !== before) this.#ask();
        break;
      default: // idle, chatting, left
        this.#typing.forget();
        this.#resumption?.sayHave();
        this.#endChat('us');
        this.#ask();
        this.#become('looking');
    }
  }

  /**
   * Wants the stranger before back, which a server grants for a few seconds if that
   * one wants it too. Returns false where it cannot be asked for.
   */
  again() {
    if (!this.can('again') || this.#pair === 0 || !['idle', 'looking', 'left'].includes(this.#state)) return false;
    this.#wantsBack = true;
    this.#record({ type: 'again', pair: this.#pair });
    return true;
  }

  /** Leaves the stranger, or looks no further, and is idle. */
  stop() {
    switch (this.#state) {
      case 'connecting':
      case 'reconnecting':
        this.#abandon();
        this.#after = 'idle';
        break;
      case 'looking':
      case 'chatting':
      case 'left':
        this.#typing.forget();
        this.#resumption?.sayHave();
        this.#endChat('us');
        this.#answered();
        this.#wantsBack = false;
        this.#record({ type: 'stop' });
        this.#become('idle');
        break;
    }
  }

  /**
   * Sends a string, or bytes. Returns false, and sends nothing, while there is
   * nobody to send to; throws a RangeError for what the server would refuse as too
   * big, and a TypeError for text that it would take for a record. In a chat that is
   * resumed it returns the message's number, and sends it when somebody is there.
   */
  send(data) {
    const size = sizeOf(data);
    if (size > this.#maxMessage) throw new RangeError(`${size} of at most ${this.#maxMessage} bytes`);
    if (typeof data === 'string' && data.startsWith(SEPARATOR)) throw new TypeError('begins with U+001E');
    if (this.#resumption) {
      const number = this.#resumption.say(typeof data === 'string' ? data : bytesOf(data), size);
      this.#heartbeat.acted();
      this.#typing.forget();
      return number || false;
    }
    if (this.#state !== 'chatting' || this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(data);
    this.#unconfirmed++;
    this.#heartbeat.sent();
    this.#heartbeat.acted();
    this.#typing.forget(); // the message says it
    return true;
  }

  /**
   * Says that the user is typing, or no longer. It may be called for every key: the
   * server hears of it every few seconds at most.
   */
  typing(on = true) {
    if (on) this.#heartbeat.acted();
    this.#typing.set(on);
  }

  #ask() {
    clearTimeout(this.#askTimer);
    this.#asked = true;
    this.#wantsBack = false;
    // The pairing that it knows of, or it may end one that it is just being told of.
    const known = this.#can.size > 0 ? { pair: this.#pair } : {};
    this.#record({ type: 'next', ...this.#wishes, ...known });
    this.#heartbeat.acted();
  }

  #answered() {
    clearTimeout(this.#askTimer);
    this.#asked = false;
  }

  #record(record) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(`${SEPARATOR}${JSON.stringify(record)}\n`);
    if (record.type !== 'ping') this.#heartbeat.sent();
    return true;
  }

  #open(state) {
    this.#stopWaiting();
    this.#openedAt = 0;
    this.#pair = 0;
    this.#attempt = new AbortController();
    const { signal } = this.#attempt;
    const socket = this.#socket = new WebSocket(this.#url, [SUBPROTOCOL]);
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('open', () => this.#opened(), { signal });
    socket.addEventListener('message', (event) => this.#received(event.data), { signal });
    socket.addEventListener('close', (event) => this.#lost(event.code, event.reason), { signal });
    this.#handshakeTimer = setTimeout(() => this.#lost(1006, ''), HANDSHAKE_TIMEOUT);
    this.#become(state);
  }

  #opened() {
    this.#openedAt = Date.now();
    this.#agreeing = true;
    const { names } = this.#complaints;
    this.#record({ type: 'hello', can: CAN, ...(names.length > 0 ? { blocked: names } : {}) });
    (this.#resumption ?? this.#leaves)?.ask();
    if (this.#leaves && this.#after === 'idle') this.#record({ type: 'stop' });
  }

  #received(data) {
    this.#heartbeat.heard();
    const records = parseRecords(data);
    if (records === null) {
      this.#complaints.heard(data);
      // What comes behind our own next() or stop() is from somebody we have left.
      if (this.#state !== 'chatting') return;
      this.dispatchEvent(new MessageEvent('message', { data }));
      this.#resumption?.showed();
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
        if (Array.isArray(record.can)) this.#agree(record);
        else this.#welcome(record);
        break;
      case 'pong':
        if (record.n === this.#heartbeat.asked) {
          this.#unconfirmed -= this.#asOfPing;
          this.#asOfPing = 0;
        }
        this.#heartbeat.answered(record.n);
        break;
      case 'waiting':
        if (this.#state === 'looking' || this.#state === 'chatting') {
          this.#answered();
          this.#become('looking');
          this.#tell('waiting', { alone: record.alone === true, patience: seconds(record.patience) });
        }
        break;
      case 'paired':
        this.#paired(record);
        break;
      case 'proof':
        void this.#prove(record);
        break;
      case 'again':
        if (record.pair === this.#pair && this.#state !== 'chatting') this.#tell('again', { pair: record.pair });
        break;
      case 'resumed':
      case 'sync':
      case 'have':
      case 'resend':
        if (this.#resumption) this.#goOn(record);
        break;
      case 'away':
      case 'back':
        if (this.#state !== 'chatting' || record.pair !== this.#pair) break;
        if (this.#resumption && (record.reason === 'lost' || record.gen > 0)) this.#goOn(record);
        else this.#tell('away', { on: record.type === 'away', lost: false });
        break;
      case 'left':
        if (this.#state === 'looking' && record.pair > this.#pair) { // stop() has ended what it was not told of yet
          this.#pair = record.pair;
          this.#ask();
          break;
        }
        if (this.#state !== 'chatting' || record.pair !== this.#pair) break;
        this.#parted(record);
        break;
      case 'typing':
        if (this.#state === 'chatting' && record.pair === this.#pair) this.#tell('typing', { on: record.on === true });
        break;
      case 'online':
        this.#tellOnline(record.n);
        break;
      case 'notice':
        this.#tell('notice', { code: word(record.code), until: amount(record.until) * 1_000 });
        break;
      case 'warned':
        this.#tell('warned', { code: String(record.code) });
        break;
      case 'stamp':
      case 'reported':
      case 'blocked':
        this.#complaints.obey(record);
        break;
      case 'undelivered':
        this.#tell('undelivered', { pair: record.pair, n: amount(record.n) ?? 0 });
        break;
      case 'error':
        this.#refused(record);
        break;
    }
  }

  /** Does the work that the server asks newcomers for, unless it is for nothing by then. */
  async #prove({ seed, bits }) {
    if (word(seed) === '' || !Number.isInteger(bits) || bits < 0 || bits > 8) return;
    const socket = this.#socket;
    const puzzle = this.#puzzle = seed;
    const answers = await solve(seed, bits, () => this.#socket !== socket || this.#puzzle !== puzzle || this.#state !== 'looking');
    if (answers) this.#record({ type: 'proof', seed, answers });
  }

  #welcome({ online, max_message: maxMessage }) {
    if (this.#state !== 'connecting' && this.#state !== 'reconnecting') return;
    clearTimeout(this.#handshakeTimer);
    this.#maxMessage = maxMessage > 0 ? maxMessage : MAX_MESSAGE;
    const state = this.#after;
    if (state === 'looking') this.#ask();
    if (!this.#resumption) this.#become(state); // else when it is resumed, or cannot be
    this.#tellOnline(online);
  }

  /** The answer to our hello: what both can. */
  #agree({ can, heartbeat, people }) {
    this.#agreeing = false;
    this.#can = new Set(can.filter((one) => CAN.includes(one)));
    if (this.can('heartbeat') && seconds(heartbeat) > 0) this.#heartbeat.start(seconds(heartbeat));
    if (this.#hiding) this.#tellHiding();
    this.#tellOnline(people);
  }

  #tellOnline(people) {
    const n = amount(people);
    if (n !== null) this.#tell('online', { n });
  }

  /** The stranger has gone. */
  #parted(record) {
    const reason = word(record.reason);
    this.#typing.forget();
    this.#endChat(['next', 'stop', 'closed'].includes(reason) ? 'stranger' : '');
    this.#become('left');
    this.#tell('left', { pair: record.pair, reason });
  }

  #paired(record) {
    const { pair, again, common, common_languages: languages, resume } = record;
    // After stop() it is no longer wanted, which the server is about to read; unless
    // it is the partner whom we have asked back.
    if (this.#state !== 'looking' && this.#state !== 'chatting' && !this.#wantsBack) {
      this.#pair = pair;
      return;
    }
    this.#answered();
    this.#typing.forget();
    this.#wantsBack = false;
    this.#unconfirmed = this.#asOfPing = 0;
    this.#pair = pair;
    this.#complaints.begins(record);
    this.#brokenAt = 0;
    this.#leaves = this.#kept = null;
    this.#resumption = typeof resume === 'string' && this.can('resume') ? new Resumption(resume, pair, this.#way()) : null;
    if (this.#resumption) this.#record({ type: 'have', pair, n: 0 }); // the token has arrived
    this.#become('chatting');
    const detail = { pair, back: again === true, common: texts(common), languages: languages ? texts(languages) : null };
    this.#tell('paired', { ...detail, resumes: this.resumes });
    this.#save();
  }

  #refused(record) {
    const code = word(record.code);
    if (this.#agreeing && code === 'bad_record') { // a server that knows no hello of ours
      this.#agreeing = false;
      return;
    }
    if (this.#leaves && code === 'no_such_chat') { // as it should be
      this.#leaves = null;
      return;
    }
    if (this.#resumption && this.#state === 'reconnecting') {
      this.#chatIsOver();
      return;
    }
    if (this.#complaints.refused(code)) return;
    if (this.#asked && this.#state === 'looking') {
      if (code === 'rate_limited') {
        clearTimeout(this.#askTimer);
        this.#askTimer = setTimeout(() => this.#ask(), ASK_AGAIN);
      } else { // it will not do: say what is true
        this.#answered();
        this.#become('idle');
      }
    }
    this.#tell('refused', { code });
  }

  #lost(code, reason, why = 'lost') {
    const opened = this.#openedAt > 0;
    // Only a connection that lasted forgives the failures before it. Otherwise a
    // server that accepts and hangs up would be asked without pause.
    if (opened && Date.now() - this.#openedAt >= STEADY) this.#attempts = 0;
    const before = this.#state;
    const { pair } = this;
    const goesOn = this.#resumption && !endsChat(code);
    const uncertain = before === 'chatting' && !this.#resumption ? this.#unconfirmed : 0;
    this.#drop(goesOn ? BROKEN : why === 'gone' ? 1000 : undefined);
    this.#lastClose = { code, reason };
    if (goesOn) {
      this.#after = 'chatting';
      this.#resumption.disconnected();
      if (before === 'chatting') this.#breaks(true);
    } else if (this.#resumption) { // the server has ended it; in another window it goes on
      if (code === 4409) this.#moved();
      else this.#endChat('');
      this.#after = 'left';
    } else if (before === 'chatting' || before === 'left') this.#after = 'left';
    else if (before === 'looking' || before === 'idle') this.#after = before;

    if (uncertain > 0) this.#tell('uncertain', { pair, n: uncertain });
    this.#reason = closeReason(code);
    if (this.#reason === 'banned') this.#bannedUntil = Date.parse(reason.slice(reason.lastIndexOf(' ') + 1));
    if (!mayReconnect(code)) {
      this.#rest('ended');
      if (this.#reason === 'banned') this.#askWhere();
    } else {
      this.#wait((goesOn ? returnDelay : retryDelay)(code, this.#attempts++), isHeld(code));
      this.#become('reconnecting');
      if (!opened) this.#askWhy();
    }
    if ((before === 'chatting' || (before === 'reconnecting' && this.#after === 'left')) && !goesOn && code !== 4409) this.#tell('left', { pair, reason: why });
  }

  #wait(delay, held) {
    clearTimeout(this.#retryTimer);
    this.#held = held;
    this.#retryAt = Date.now() + delay;
    this.#retryTimer = setTimeout(() => this.#open('reconnecting'), delay);
  }

  /** What kept the socket from opening may be known: then it is said, and waited for. */
  async #askWhy() {
    const asking = this.#attempt = new AbortController();
    const why = await askWhy(this.#url, asking.signal);
    if (!why || this.#attempt !== asking || this.#retryAt === 0) return;
    this.#reason = why.reason;
    if (why.reason === 'banned') {
      this.#bannedUntil = Date.now() + why.wait;
      this.#appeal = why.appeal;
      this.#rest('ended');
      return;
    }
    // Spread over as long again, so that not all who were told the same come at once.
    const until = Date.now() + why.wait * (1 + Math.random());
    if (until > this.#retryAt) this.#wait(until - Date.now(), false);
    this.#become('reconnecting');
  }

  /** Whoever has been banned in a chat may be told where they can write to. */
  async #askWhere() {
    const asking = this.#attempt = new AbortController();
    const why = await askWhy(this.#url, asking.signal);
    if (!why?.appeal || this.#attempt !== asking) return;
    this.#appeal = why.appeal;
    this.#become('ended');
  }

  /** Lets go of the socket, whatever state it is in: nothing it does counts any more. */
  #drop(code) {
    clearTimeout(this.#handshakeTimer);
    this.#heartbeat.stop();
    this.#can.clear();
    this.#complaints.disconnected();
    this.#agreeing = this.#wantsBack = false;
    this.#unconfirmed = this.#asOfPing = 0;
    this.#answered();
    this.#typing.forget();
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
    this.#attempt?.abort();
    this.#held = false;
  }

  /** How the resumption talks. */
  #way() {
    return {
      record: (record) => this.#record(record),
      send: (data) => {
        this.#socket.send(data);
        this.#heartbeat.sent();
      },
      fate: (from, to, fate) => this.#tell('fate', { from, to, fate }),
      save: () => this.#save(),
    };
  }

  /** Takes the server's word on a chat that is resumed. */
  #goOn(record) {
    const { type } = record;
    if (type !== 'resumed' && record.pair !== this.#pair) return;
    try {
      switch (type) {
        case 'resumed':
          if (this.#state !== 'reconnecting') return;
          this.#pair = record.pair;
          this.#complaints.begins(record);
          this.#resumption.resumed(record);
          this.#become('chatting');
          break;
        case 'away':
          this.#resumption.away();
          this.#breaks(false);
          this.#tell('away', { on: true, lost: true });
          break;
        case 'sync':
          this.#resumption.sync(record);
          this.#breaks(false);
          break;
        case 'have':
          this.#resumption.confirmed(record);
          break;
        case 'back':
          this.#resumption.back(record);
          this.#attempts = 0; // both talk again, so it was worth it
          this.#tell('away', { on: false, lost: true });
          break;
        case 'resend':
          this.#resumption.resend(record);
          if (this.#brokenAt > 0) {
            this.#tell('resumed', { own: this.#ownBreak, seconds: Math.round((Date.now() - this.#brokenAt) / 1_000), lost: record.lost });
          }
          this.#brokenAt = 0;
          break;
      }
    } catch (error) {
      if (!(error instanceof CountError)) throw error;
      this.#record({ type: 'stop' }); // with a stranger who cannot count nothing can be promised
      this.#chatIsOver();
    }
  }

  #breaks(own) {
    if (this.#brokenAt > 0) return;
    this.#brokenAt = Date.now();
    this.#ownBreak = own;
  }

  /** The chat could not be resumed. */
  #chatIsOver() {
    this.#endChat('');
    this.#become('left');
    this.#tell('left', { pair: this.#pair, reason: 'over' });
  }

  /** The chat is over: says what became of each message. by is as in Resumption.end. */
  #endChat(by) {
    this.#complaints.ends();
    this.#resumption?.end(by);
    this.#moved();
  }

  /** The chat goes on without us, or not at all. */
  #moved() {
    if (this.#resumption) forgetChat(this.#name);
    clearTimeout(this.#saveTimer);
    this.#resumption = this.#kept = null;
    this.#brokenAt = 0;
  }

  /** The chat is over, and the server is told so as soon as there is a connection. */
  #abandon() {
    this.#leaves = this.#resumption ?? this.#leaves;
    if (this.#resumption) this.#endChat('us');
  }

  /** Keeps what a reload needs, as it is now; what the page keeps with it now and then. */
  #save(all = false) {
    if (!this.#resumption || this.#name === '') return;
    keepChat(this.#name, this.#resumption.kept());
    if (all) {
      clearTimeout(this.#saveTimer);
      this.#saveTimer = 0;
      keepChat(this.#name, null, this.#keeps());
    } else {
      this.#saveTimer ||= setTimeout(() => this.#save(true), KEEP_EVERY);
    }
  }

  #tryNow() {
    if (this.#retryAt > 0 && !this.#held) this.#open('reconnecting');
  }

  /** A network that is back, and a page that is looked at again, are worth a try at once. */
  #listenForWakeups() {
    this.#wakeups?.abort();
    this.#wakeups = new AbortController();
    watchPage({
      hiding: () => {
        this.#hiding = true;
        this.#save(true);
        this.#tellHiding();
      },
      shown: () => {
        this.#hiding = false;
        this.#tellHiding();
      },
      gone: () => {
        this.#save(true);
        this.#resumption?.sayHave();
        // A browser that keeps the page for the Back button may keep the socket open with it, and
        // the stranger would talk to nobody. Should the page come back, it connects again.
        if (this.#socket) this.#lost(1001, '', 'gone');
      },
      hint: () => {
        if (navigator.onLine !== false) this.#tryNow();
        this.#heartbeat.ask();
      },
    }, this.#wakeups.signal);
  }

  #tellHiding() {
    if (this.can('away')) this.#record({ type: this.#hiding ? 'hiding' : 'shown' });
  }

  #become(state) {
    this.#state = state;
    this.dispatchEvent(new Event('state'));
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
