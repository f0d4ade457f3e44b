// A chat that outlives its connections, as its client has it: what it takes to come back,
// and which messages are on their way. See "Resume" in the protocol.
//
//                 ┌── sync: have ──┐
//     open ──away, or disconnected──► held ──back: resend──► open
//
// What is said is numbered and noted in the ledger, and put on the wire while the chat is
// open, at a pace that the server allows. While it is held it waits in the ledger.

import { Ledger } from './ledger.js';

const HAVE_AFTER = 5_000; // milliseconds behind the first message that was shown and not confirmed
const BURST = 40; // messages at once, and afterwards one in
const EACH = 1_000 / 15; // so many milliseconds: less than what a server allows
const MOST_WAITING = 200; // messages that are not on the wire: fewer than the ledger keeps

export class Resumption {
  #ledger;
  #token;
  #try = 0; // of the connections with which this chat was to be resumed
  #pair; // the number of the pairing, on this connection
  #way; // see the constructor
  #open = true; // what is said goes on the wire
  #wired; // number of the last message that is on the wire of this connection
  #everWired; // or of any
  #clear = 0; // when all that is on the wire is forgotten by the server's limit
  #haveTimer = 0;
  #pumpTimer = 0;

  /**
   * way is how it talks: record(fields) and send(data) to the server; fate(from, to, fate)
   * says what became of messages, as in Roulette's event; save() is called when
   * something has changed that a reload needs.
   */
  constructor(token, pair, way, ledger = new Ledger()) {
    this.#token = token;
    this.#pair = pair;
    this.#way = way;
    this.#ledger = ledger;
    this.#wired = this.#everWired = ledger.count;
  }

  /** The chat that was kept over a reload, or null where there is none. */
  static from(kept, way) {
    const ledger = Ledger.from(kept?.ledger, bytesOf);
    if (!ledger || typeof kept.token !== 'string' || !(kept.try >= 0)) return null;
    const chat = new Resumption(kept.token, 0, way, ledger);
    chat.#try = kept.try;
    chat.#everWired = Math.min(ledger.count, Number(kept.wired) || 0);
    chat.#open = false;
    return chat;
  }

  /** What from can begin with. */
  kept() {
    return { token: this.#token, try: this.#try, wired: this.#everWired, ledger: this.#ledger.kept(textOf) };
  }

  /** Whether what is said goes to the stranger now. */
  get open() { return this.#open; }

  /** Says data of that size; its number, or 0 where too much waits already. */
  say(data, size) {
    if (this.#ledger.count - this.#wired >= MOST_WAITING && this.#open) return 0;
    const number = this.#ledger.sent(data, size);
    this.#pump();
    this.#way.save();
    return number;
  }

  /** A message of the stranger was shown. */
  showed() {
    const due = this.#ledger.showed();
    this.#way.save();
    if (due) this.sayHave();
    else this.#haveTimer ||= setTimeout(() => this.sayHave(), HAVE_AFTER);
  }

  /** Says how many were shown, if that is news. After a break the return says it, too. */
  sayHave() {
    clearTimeout(this.#haveTimer);
    this.#haveTimer = 0;
    if (!this.#ledger.unsaid) return;
    this.#way.record({ type: 'have', pair: this.#pair, n: this.#ledger.have() });
    this.#way.save();
  }

  /** The connection is gone. */
  disconnected() { this.#hold(); }

  /** On a new connection: asks for the place. */
  ask() {
    this.#try++;
    this.#clear = 0;
    this.#way.save(); // before: the next one must count from here, whatever comes
    this.#way.record({ type: 'resume', token: this.#token, have: this.#ledger.have(), try: this.#try });
  }

  /** The place is ours again. */
  resumed({ pair, resume }) {
    this.#pair = pair;
    if (typeof resume === 'string') this.#token = resume;
    this.#way.save();
  }

  /** The stranger's connection is lost. */
  away() { this.#hold(); }

  /** The server asks how far we are. */
  sync({ gen }) {
    this.#hold();
    this.#way.record({ type: 'have', pair: this.#pair, gen, n: this.#ledger.have() });
    this.#way.save();
  }

  /** The stranger is there and has shown have messages: the rest again. */
  back({ gen, have }) {
    const { from, lost } = this.#ledger.replay(have);
    if (have > 0) this.#way.fate(1, have, 'delivered');
    if (lost > 0) this.#way.fate(have + 1, from - 1, 'undelivered');
    this.#way.record({ type: 'resend', gen, from, lost });
    this.#wired = from - 1;
    this.#open = true;
    this.#pump();
    this.#way.save();
  }

  /** The stranger begins again. */
  resend({ from, lost }) {
    this.#ledger.replayed(from, lost);
    this.#way.save();
  }

  /** The stranger has shown n messages. */
  confirmed({ n }) {
    const before = this.#ledger.delivered;
    this.#ledger.confirm(n);
    if (n > before) this.#way.fate(before + 1, n, 'delivered');
    this.#way.save();
  }

  /**
   * The chat is over. by is who has ended it: 'stranger', who has said before how much it
   * had shown, so that what it did not count it has not shown; 'us', who have not waited
   * for that; or '', where it ended by itself.
   */
  end(by) {
    const way = by === 'us' && this.#open ? 'sent' : 'uncertain';
    this.#hold();
    const { delivered, count } = this.#ledger;
    const gone = by === 'stranger' ? delivered : Math.max(delivered, this.#everWired);
    if (gone > delivered) this.#way.fate(delivered + 1, gone, way);
    if (count > gone) this.#way.fate(gone + 1, count, 'undelivered');
  }

  #hold() {
    this.#open = false;
    clearTimeout(this.#haveTimer);
    clearTimeout(this.#pumpTimer);
    this.#haveTimer = this.#pumpTimer = 0;
  }

  /** Puts on the wire what waits, at the pace of the server's limit. */
  #pump() {
    while (this.#open && !this.#pumpTimer && this.#wired < this.#ledger.count) {
      const now = Date.now();
      this.#clear = Math.max(this.#clear, now);
      if (this.#clear - now > (BURST - 1) * EACH) {
        this.#pumpTimer = setTimeout(() => {
          this.#pumpTimer = 0;
          this.#pump();
          this.#way.save();
        }, EACH);
        return;
      }
      this.#clear += EACH;
      this.#everWired = Math.max(this.#everWired, ++this.#wired);
      this.#way.send(this.#ledger.message(this.#wired).data);
    }
  }
}

function textOf(data) {
  let text = '';
  for (const byte of data) text += String.fromCharCode(byte);
  return btoa(text);
}

function bytesOf(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
