// The line above the field, with what can be done about it: a connection that is lost or
// slow, the automatic next, for a few seconds the way back to the stranger before, and
// what the server or its operator has to say.

import { format, words } from './words.js';

const COUNTDOWN = 5; // seconds before the automatic next
const BACK = 5_000; // milliseconds for which the server grants a way back
const LATEST = 8.64e15; // milliseconds since 1970 that a Date can hold

const $ = (id) => document.getElementById(id);

export class Notice {
  #chat;
  #next;
  #warn;
  #state = 'closed';
  #countdown = 0; // seconds left to the automatic next; 0: none
  #countdownTimer = 0;
  #back = ''; // the way back: '' (none), offered, asked or wanted (by the other)
  #backTimer = 0;
  #own = false; // whether it was our press
  #announced = null; // what the operator has to say: { code, until }
  #announcedTimer = 0;
  #warned = ''; // why we are warned, until it is read
  #pauseTimer = 0; // until the seconds of a pause are counted down by one

  constructor(chat, { next, warn }) {
    this.#chat = chat;
    this.#next = next;
    this.#warn = warn;
    $('stay').addEventListener('click', () => this.#count(0));
    $('back').addEventListener('click', () => this.#goBack());
    $('understood').addEventListener('click', () => {
      this.#warned = '';
      this.#show();
    });
  }

  /** Shows what belongs to a state of the connection. */
  show(state) {
    if (state !== this.#state) {
      this.#state = state;
      this.recount();
      if (['chatting', 'reconnecting', 'ended', 'closed'].includes(state)) this.forget();
    }
    this.#show();
  }

  /** The automatic next was switched on or off, or a stranger is gone. */
  recount() {
    this.#count(this.#state === 'left' && $('auto').checked ? COUNTDOWN : 0);
  }

  /** A stranger was left, by us if own is true, and could be had back. */
  offerBack(own) {
    this.#own = own;
    if (!this.#chat.can('again')) return;
    this.#setBack('offered');
    this.#backTimer = setTimeout(() => this.forget(), BACK);
  }

  /** The other one wants to come back. */
  wantedBack() {
    if (this.#back === 'offered') this.#back = 'wanted';
    this.#show();
  }

  /** The operator has something to say, until then. */
  announce({ code, until }) {
    clearTimeout(this.#announcedTimer);
    const left = until - Date.now();
    this.#announced = words.announced[code] && left > 0 && until <= LATEST ? { code, until } : null;
    if (this.#announced) this.#announcedTimer = setTimeout(() => this.announce({ code: 'none' }), Math.min(left, 2 ** 31 - 1));
    this.#show();
  }

  /** People have complained, or the like: it stands there until it is read. */
  caution({ code }) {
    if (Object.keys(words.warned).includes(code)) this.#warned = code;
    this.#show();
  }

  /** The server would not. */
  tooLate() { this.forget(); }

  /** There is no way back any more. */
  forget() { this.#setBack(''); }

  #setBack(back) {
    clearTimeout(this.#backTimer);
    this.#back = back;
    this.#show();
  }

  #goBack() {
    if (!this.#chat.again()) {
      this.#warn(words.tooLate);
      this.forget();
      return;
    }
    this.#count(0);
    this.#back = 'asked';
    this.#show();
  }

  /** Starts the automatic next, that many seconds from now, or stops it for 0. */
  #count(seconds) {
    clearInterval(this.#countdownTimer);
    this.#countdown = seconds;
    if (seconds > 0) {
      this.#countdownTimer = setInterval(() => {
        if (document.hidden || this.#back === 'wanted') return; // nobody is there to be met, or somebody is
        if (--this.#countdown > 0) {
          this.#show();
        } else {
          this.#count(0);
          this.#next();
        }
      }, 1000);
    }
    this.#show();
  }

  #show() {
    const { reason, retryAt, held, slow } = this.#chat;
    const away = this.#state === 'reconnecting' || this.#state === 'ended';
    clearTimeout(this.#pauseTimer);
    if (this.#state === 'reconnecting' && retryAt > 0) this.#pauseTimer = setTimeout(() => this.#show(), 1000);
    const text = away ? this.#explain(reason) : slow ? words.slowHint : this.#lesser();
    const cautions = this.#warned !== '' && text === words.warned[this.#warned];
    $('notice').classList.toggle('cautions', cautions);
    if (cautions) $('explanation').setAttribute('role', 'alert'); // before its text: a screen reader says it at once
    else $('explanation').removeAttribute('role');
    const appeal = this.#state === 'ended' && reason === 'banned' ? this.#chat.appeal : '';
    if (appeal !== '') $('explanation').replaceChildren(`${text} `, ...around(appeal));
    else if ($('explanation').textContent !== text) $('explanation').textContent = text;
    $('understood').hidden = !cautions;
    $('notice').hidden = text === '';
    $('stay').hidden = away || this.#countdown === 0;
    $('back').hidden = away || !['offered', 'wanted'].includes(this.#back);
    $('back').classList.toggle('wanted', this.#back === 'wanted');
    $('retry').hidden = !away || held || (this.#state === 'reconnecting' && retryAt === 0);
    $('retry').textContent = this.#state === 'ended' ? words.connectAgain : words.tryNow;
  }

  /** What is to be said while the connection is good. */
  #lesser() {
    if (this.#back === 'wanted') return words.wantsBack;
    if (this.#back === 'asked') return words.askedBack;
    if (this.#countdown > 0) return words.countdown(this.#countdown);
    if (this.#back === 'offered') return this.#own ? words.backOffer : words.state.left;
    if (this.#warned !== '') return words.warned[this.#warned];
    const { code, until } = this.#announced ?? {};
    return code ? words.announced[code](format.time(new Date(until))) : '';
  }

  /** The sentence behind the states reconnecting and ended. */
  #explain(reason) {
    const { state, held, retryAt } = this.#chat;
    if (state === 'ended' && reason === 'banned') return words.ends.banned(format.moment(new Date(this.#chat.bannedUntil || Date.now())));
    if (state === 'ended') return words.ends[reason] ?? words.ends.ended;
    if (!held && navigator.onLine === false) return words.lostAndOffline;
    if (retryAt === 0) return words.lostAndWaiting;
    const seconds = Math.max(1, Math.ceil((retryAt - Date.now()) / 1000));
    return (words.retry[reason] ?? words.retry.lost)(format.seconds(seconds));
  }
}

/** The sentence that says where somebody who is banned can write to. */
function around(appeal) {
  const [before, after] = words.appeal('\n').split('\n');
  const link = document.createElement('a');
  const name = document.createElement('bdi');
  link.href = appeal;
  link.target = '_blank';
  link.rel = 'noreferrer';
  name.textContent = appeal.replace(/^mailto:|\?.*/g, '');
  link.append(name);
  return [before, link, after];
}
