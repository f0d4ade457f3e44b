// What a stranger can be reported and blocked with: what the server has sealed, and what
// the stranger has said since the mark before the last. A report is all that came between
// two marks, and the last mark of a chat comes when it ends: so whoever reports the
// stranger they talk to leaves first. See "Report and block" in the protocol.

import { recall, remember } from './memory.js';
import { word } from './wire.js';

const MOST = 3; // strangers, with the present one
const FOR = 10 * 60_000; // milliseconds after the end of a chat
const LARGEST = 64 * 1024; // bytes of a report, as it is sent
const NAMES = 64; // of people who are blocked
const FRAME = 8; // bytes around the record

const encoder = new TextEncoder();

/** One stranger, in one chat on one connection. */
class Dossier {
  began = new Date();
  ended = 0; // milliseconds since 1970; 0: it goes on
  reported = false;
  #opening;
  #heard = []; // after the mark before the last
  #before = 0; // messages before these
  #marks = []; // the last two at most: { n, mark }

  constructor(opening) { this.#opening = opening; }

  get opening() { return this.#opening; }

  /** What a report would have: what came after the last mark, or between the last two if nothing did. */
  get said() {
    const after = this.#marks.length > 0 ? this.#heard.slice(this.#marks.at(-1).n - this.#before) : [];
    return after.length > 0 ? after : this.#heard.slice();
  }

  /** Whether there is a mark for all that was said. */
  get complete() { return this.#marks.length > 0 && this.#marks.at(-1).n - this.#before === this.#heard.length; }

  hears(data) { this.#heard.push({ data }); } // an object of its own: what is shown is compared with what is sent

  stamped({ n, mark }) {
    if (typeof mark !== 'string' || !Number.isInteger(n) || n <= (this.#marks.at(-1)?.n ?? 0) || n - this.#before > this.#heard.length) return;
    this.#marks.push({ n, mark });
    if (this.#marks.length > 2) this.#marks.shift();
    if (this.#marks.length < 2) return;
    this.#heard.splice(0, this.#marks[0].n - this.#before);
    this.#before = this.#marks[0].n;
  }

  /** No further mark comes. */
  cut() { this.#heard.length = this.#marks.length > 0 ? this.#marks.at(-1).n - this.#before : 0; }

  record(reason, text) {
    const first = this.#marks.length === 2 ? { first: this.#marks[0].mark } : {};
    const messages = this.said.map(({ data }) => (typeof data === 'string' ? { text: data } : { binary: base64(data) }));
    return { type: 'report', opening: this.opening, ...first, last: this.#marks.at(-1).mark, reason, text, messages };
  }
}

/** The strangers of the last chats, and what is done about them. */
export class Complaints {
  #record; // sends a record; false: there is no connection
  #tell;
  #dossiers = []; // the latest is the last
  #hears = null; // the one whose messages come
  #waits = null; // a report that waits for its last mark, or its answer: { dossier, reason, text, shown, sent }
  #blocks = []; // dossiers of blocks that have no answer yet

  constructor({ record, tell }) {
    this.#record = record;
    this.#tell = tell;
  }

  /** The strangers who can be reported or blocked still, the latest first. */
  get all() {
    const now = Date.now();
    this.#dossiers = this.#dossiers.filter(({ ended }) => ended === 0 || now - ended < FOR);
    return this.#dossiers.slice().reverse();
  }

  /** The names of those who were blocked, for the hello. */
  get names() { return recall('blocked', []).filter((name) => typeof name === 'string').slice(-NAMES); }

  /** A chat begins, or counting does: opening is what the server said of it. */
  begins({ opening }) {
    this.#hears?.cut();
    this.ends();
    this.#hears = typeof opening === 'string' && opening !== '' ? new Dossier(opening) : null;
    if (this.#hears) this.#dossiers.push(this.#hears);
    this.#dossiers.splice(0, this.#dossiers.length - MOST);
    this.#file();
    this.#changed();
  }

  /** The stranger said something. */
  heard(data) {
    if (!this.#hears) return;
    this.#hears.hears(data);
    this.#changed();
  }

  /** The chat is over. What came of it on the way is heard still, and its last mark comes. */
  ends() {
    if (this.#hears) this.#hears.ended ||= Date.now();
  }

  /** The connection is lost: nothing comes any more, no mark and no answer. */
  disconnected() {
    this.#hears?.cut();
    this.ends();
    this.#hears = null;
    this.#fails('offline');
    if (this.#blocks.length > 0) this.#tell('unblocked', { code: 'offline' });
    this.#blocks = [];
    this.#changed();
  }

  /** Forgets everybody; whoever is blocked stays so. */
  forget() {
    this.#dossiers = [];
    this.#hears = this.#waits = null;
    this.#changed();
  }

  /** Obeys a record of the server, if it is one of these. */
  obey(record) {
    switch (record.type) {
      case 'stamp':
        this.#hears?.stamped(record);
        this.#file();
        break;
      case 'reported':
        if (!this.#waits) break;
        this.#waits.dossier.reported = true;
        this.#waits = null;
        this.#tell('reported', {});
        break;
      case 'blocked':
        this.#blocks.shift();
        if (word(record.name) !== '') remember('blocked', [...this.names.filter((name) => name !== record.name), record.name].slice(-NAMES));
        this.#tell('blocked', {});
        break;
    }
  }

  /** Whether an error is the answer to a report or a block. */
  refused(code) {
    if (code === 'cannot_block' && this.#blocks.shift()) {
      this.#tell('unblocked', { code });
      return true;
    }
    if (!this.#waits?.sent) return false;
    if (!code.startsWith('report_') && !['too_many_reports', 'rate_limited', 'bad_record'].includes(code)) return false;
    if (code === 'report_twice') this.#waits.dossier.reported = true;
    this.#fails(code);
    return true;
  }

  /**
   * Reports what was shown of a stranger, whose chat is over or has just been left. If
   * it is not what there is by then, because more has come, it is not sent.
   */
  report(dossier, { reason, text, shown }) {
    this.#waits = { dossier, reason, text, shown, sent: false };
    this.#file();
  }

  block(dossier) {
    this.#blocks.push(dossier);
    if (this.#record({ type: 'block', opening: dossier.opening })) return;
    this.#blocks.pop();
    this.#tell('unblocked', { code: 'offline' });
  }

  #file() {
    const { dossier, reason, text, shown, sent } = this.#waits ?? {};
    if (!dossier || sent) return;
    const { said } = dossier;
    if (!dossier.complete) {
      if (this.#hears !== dossier) this.#fails('offline');
      return;
    }
    if (said.length !== shown.length || said.some((message, i) => message !== shown[i])) {
      this.#fails('more');
      return;
    }
    const record = dossier.record(reason, text);
    if (encoder.encode(JSON.stringify(record)).length + FRAME > LARGEST) {
      this.#fails('large');
      return;
    }
    this.#waits.sent = true;
    if (!this.#record(record)) this.#fails('offline');
  }

  #fails(code) {
    if (!this.#waits) return;
    this.#waits = null;
    this.#tell('unreported', { code });
  }

  #changed() { this.#tell('dossiers', {}); }
}

function base64(data) {
  const bytes = new Uint8Array(data);
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}
