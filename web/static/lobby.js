// The place where one waits: who else is here, since when, why; and the table, to which
// a link leads that can be sent to somebody.

import { recall, remember } from './memory.js';
import { qrImage } from './qr.js';
import { format, siteBase, words } from './words.js';

const HASH = '#table=';
const LONGEST = 64; // characters of a table's name, as the server has it
const COPIED = 2_000; // milliseconds for which it is said

const $ = (id) => document.getElementById(id);

/** The name of the table that the page's address leads to, or ''. */
function tableOf(hash) {
  if (!hash.startsWith(HASH)) return '';
  try {
    return [...decodeURIComponent(hash.slice(HASH.length)).replace(/[\p{C}]/gu, '').trim()].slice(0, LONGEST).join('').trim();
  } catch {
    return ''; // nothing that a link of ours could be
  }
}

/** A name that nobody guesses. */
function newTable() {
  const bytes = crypto.getRandomValues(new Uint8Array(15));
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_');
}

export class Lobby extends EventTarget {
  #table = tableOf(location.hash);
  #own = false; // whether we have laid the table
  #since = 0; // when the waiting began; 0: not waiting
  #news = { alone: false, patience: 0 };
  #timer = 0; // until the patience is over

  /** A change of the table is told by the event "change", "invite" asks for company. */
  constructor() {
    super();
    addEventListener('hashchange', () => {
      this.#table = tableOf(location.hash);
      this.#own = false;
      this.#changed();
    });
    $('invite').addEventListener('click', () => {
      this.#table = newTable();
      this.#own = true;
      history.replaceState(null, '', HASH + encodeURIComponent(this.#table));
      this.#changed();
    });
    $('leave-table').addEventListener('click', () => this.leave());
    $('copy').addEventListener('click', () => this.#copy());
    $('share').hidden = typeof navigator.share !== 'function';
    $('share').addEventListener('click', () => navigator.share({ title: words.title, url: this.link }).catch(() => {}));
    $('link').addEventListener('focus', () => $('link').select());
    $('tell').checked = recall('tell', false);
    $('tell').addEventListener('change', () => this.#tell());
  }

  /** The table's name; '' among all. */
  get table() { return this.#table; }

  /** Whether we came here by somebody's link. */
  get invited() { return this.#table !== '' && !this.#own; }

  get link() { return `${location.origin}${siteBase}${HASH}${encodeURIComponent(this.#table)}`; }

  /** Leaves the table, for all the others. */
  leave() {
    if (this.#table === '') return;
    this.#table = '';
    history.replaceState(null, '', location.pathname);
    this.#changed();
  }

  /** What the server says of our waiting. */
  waits(news) {
    this.#news = news;
    clearTimeout(this.#timer);
    if (news.patience > 0) {
      this.#timer = setTimeout(() => {
        this.#news = { ...news, patience: 0 };
        this.show(true);
      }, news.patience * 1_000);
    }
    this.show(true);
  }

  /** Shows how things are, for one who waits or does not. */
  show(waiting) {
    if (!waiting) {
      clearTimeout(this.#timer);
      this.#since = 0;
      this.#news = { alone: false, patience: 0 };
    } else if (this.#since === 0) {
      this.#since = Date.now();
    }
    const { alone, patience } = this.#news;
    const atTable = this.#table !== '';
    $('waiting').hidden = !waiting;
    $('alone').textContent = alone ? words.alone : words.someWait;
    $('why').textContent = atTable ? '' : alone ? words.aloneHint : patience > 0 ? words.patience(format.seconds(patience)) : words.allBusy;
    $('why').hidden = atTable;
    $('since').textContent = waiting ? words.since(format.time(new Date(this.#since))) : '';
    $('invite').hidden = atTable || !window.crypto;
    $('table').hidden = !atTable;
    if (!atTable || $('link').value === this.link) return;
    $('link').value = this.link;
    const image = qrImage(this.link);
    image?.setAttribute('aria-label', words.code);
    $('code').replaceChildren(...(image ? [image] : []));
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
    this.show(this.#since > 0);
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.link);
    } catch { // not allowed, or not there: the old way
      $('link').select();
      document.execCommand('copy');
    }
    $('copy').textContent = words.copied;
    setTimeout(() => { $('copy').textContent = words.copy; }, COPIED);
  }

  async #tell() {
    remember('tell', $('tell').checked);
    if (!$('tell').checked || !('Notification' in window)) return;
    const permission = await Notification.requestPermission();
    if (permission === 'denied') this.dispatchEvent(new CustomEvent('refused', { detail: words.tellRefused }));
  }
}
