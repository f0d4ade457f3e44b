// The dialogs in which a stranger is reported and blocked. What is shown of a report is
// what is sent: if the stranger says more meanwhile, it is shown, and asked again.

import { recognise } from './picture.js';
import { FIRST, Gently, MORE, pieceEnd } from './pieces.js';
import { format, words } from './words.js';

const REASONS = ['harassment', 'sexual', 'minor', 'hate', 'threat', 'spam', 'other']; // as the server has them

const LEAST = 100; // characters that a message counts as, whatever is in it

const $ = (id) => document.getElementById(id);

export class Dialogs {
  #chat;
  #note;
  #stop;
  #of = null; // the stranger whom the open dialog is about
  #shown = []; // what of theirs is shown, or is about to be
  #gently = new Gently();
  #phase = ''; // of a report: '' (being written), sending, sent
  #hint = ''; // what is said of it, a key of words.unreported
  #timer = 0;

  /** note writes a line into the log, stop leaves the stranger. */
  constructor(chat, { note, stop }) {
    this.#chat = chat;
    this.#note = note;
    this.#stop = stop;
    for (const id of ['report-open', 'menu-report']) $(id).addEventListener('click', () => this.#openReport());
    $('block-open').addEventListener('click', () => this.#openBlock(this.#latest));
    $('report-block').addEventListener('click', () => {
      const dossier = this.#of;
      close($('report'));
      this.#openBlock(dossier);
    });
    for (const dialog of [$('report'), $('block')]) {
      dialog.querySelector('.cancel').addEventListener('click', () => close(dialog));
    }
    $('report-who').addEventListener('change', () => {
      this.#of = this.#chat.strangers[$('report-who').value] ?? this.#of;
      this.#hint = '';
      this.#showReport();
    });
    $('report-reason').addEventListener('change', () => this.#showReport());
    $('report-send').addEventListener('click', () => this.#send());
    $('block-send').addEventListener('click', () => this.#block());
    chat.addEventListener('dossiers', () => this.#changed());
    chat.addEventListener('reported', () => {
      this.#note(words.reported);
      this.#becomes('sent', '');
    });
    chat.addEventListener('unreported', ({ detail: { code } }) => {
      if (!isOpen($('report'))) this.#note(this.#why(code));
      this.#becomes('', code);
    });
    chat.addEventListener('blocked', () => this.#note(words.blocked));
    chat.addEventListener('unblocked', ({ detail: { code } }) => this.#note(code === 'offline' ? words.unreported.offline : words.cannotBlock));
  }

  /** Shows what can be done, in the present language. */
  show() {
    const stranger = this.#latest;
    $('report-open').hidden = $('menu-report').hidden = !stranger || !this.#chat.can('report');
    $('block-open').hidden = !stranger || !this.#chat.can('block');
    const reason = $('report-reason').value;
    $('report-reason').replaceChildren(new Option(words.choose, ''), ...REASONS.map((name) => new Option(words.reasons[name === 'other' ? 'another' : name], name)));
    $('report-reason').value = reason;
    if (isOpen($('report'))) this.#showReport();
  }

  /** Whether one of them is open. */
  get open() { return isOpen($('report')) || isOpen($('block')); }

  /** Closes them. */
  close() {
    close($('report'));
    close($('block'));
  }

  get #latest() { return this.#chat.strangers[0] ?? null; }

  #openReport() {
    $('menu').hidePopover?.();
    const strangers = this.#chat.strangers;
    this.#of = strangers.find(({ said, reported }) => said.length > 0 && !reported) ?? strangers[0] ?? null;
    if (!this.#of) return;
    $('report-reason').value = $('report-text').value = '';
    this.#becomes('', '');
    show($('report'));
  }

  #openBlock(dossier) {
    this.#of = dossier;
    if (dossier) show($('block'));
  }

  #block() {
    const dossier = this.#of;
    close($('block'));
    if (dossier.ended === 0) this.#stop();
    this.#chat.block(dossier);
  }

  #send() {
    const reason = $('report-reason').value;
    if (this.#phase !== '' || this.#shown.length === 0) return;
    if (reason === '') {
      this.#becomes('', 'reason');
      $('report-reason').focus();
      return;
    }
    const report = { reason, text: wellFormed($('report-text').value.trim()), shown: this.#shown };
    this.#becomes('sending', '');
    if (this.#of.ended === 0) this.#stop();
    this.#chat.report(this.#of, report);
  }

  #becomes(phase, hint) {
    this.#phase = phase;
    this.#hint = hint;
    this.#showReport();
  }

  /** What is said comes a little later: a stranger may send many messages at once. */
  #changed() {
    this.#timer ||= setTimeout(() => {
      this.#timer = 0;
      this.show();
    }, 50);
  }

  #why(code) { return words.unreported[code] ?? words.refused; }

  #showReport() {
    const strangers = this.#chat.strangers;
    const sent = this.#phase === 'sent';
    if (!strangers.includes(this.#of) && this.#phase === '') this.#hint = 'report_late';
    $('report-who').replaceChildren(...strangers.map((dossier, i) => new Option(dossier.ended === 0 ? words.stranger : words.former(format.time(dossier.began)), i)));
    $('report-who').value = String(strangers.indexOf(this.#of));
    $('report-who').parentElement.hidden = strangers.length < 2;
    if (this.#phase === '') this.#showSaid();
    const nothing = this.#shown.length === 0;
    for (const id of ['report-who', 'report-reason', 'report-text']) $(id).disabled = this.#phase !== '';
    $('report-form').hidden = sent;
    $('report-said').hidden = nothing;
    $('report-shows').textContent = nothing ? words.reportNothing : words.reportShows;
    $('report-leaves').hidden = nothing || this.#of?.ended !== 0;
    $('report-send').hidden = sent || nothing;
    $('report-send').setAttribute('aria-disabled', String(this.#phase !== ''));
    $('report-block').hidden = !this.#chat.can('block') || this.#phase === 'sending' || !strangers.includes(this.#of);
    $('report').querySelector('.cancel').textContent = sent ? words.close : words.cancel;
    const text = sent ? words.reported : this.#phase === 'sending' ? words.sending : this.#hint === '' ? '' : this.#why(this.#hint);
    if ($('report-state').textContent !== text) $('report-state').textContent = text;
  }

  #showSaid() {
    const said = this.#of?.reported ? [] : this.#of?.said ?? [];
    if (said.length === this.#shown.length && said.length > 0 && said.every((message, i) => message === this.#shown[i])) return;
    const before = this.#shown.length > 0 && this.#shown.every((message, i) => message === said[i]) ? this.#shown.length : 0;
    this.#shown = said;
    if (before === 0) {
      this.#gently.clear();
      $('report-said').replaceChildren();
    }
    for (const { data } of said.slice(before)) {
      const end = typeof data === 'string' ? pieceEnd(data, 0, FIRST) : 0;
      this.#gently.add(Math.max(end, LEAST), () => $('report-said').append(this.#line(data, end)));
    }
  }

  /** One message, as text: of a picture its size. Of a long one the beginning, to end, until more is asked for. */
  #line(data, end) {
    const item = document.createElement('li');
    item.dir = 'auto';
    if (typeof data !== 'string') {
      const picture = recognise(new Uint8Array(data));
      item.textContent = picture ? `${words.pictureOf.stranger} (${format.size(data.byteLength)})` : words.binary(format.number(data.byteLength));
      return item;
    }
    item.textContent = data.slice(0, end);
    if (end === data.length) return item;
    const all = document.createElement('button');
    all.type = 'button';
    all.className = 'quiet';
    all.textContent = words.showAll;
    const more = () => {
      const begin = end;
      end = pieceEnd(data, begin, MORE);
      const piece = document.createElement('span');
      piece.className = 'piece';
      piece.textContent = data.slice(begin, end);
      item.append(piece);
      if (end < data.length && item.isConnected) this.#gently.add(MORE.characters, more);
    };
    all.addEventListener('click', () => {
      all.remove();
      this.#gently.add(MORE.characters, more);
    });
    item.append(all);
    return item;
  }
}

/** Without half surrogate pairs, which are no text that could be sent. */
function wellFormed(text) {
  return text.replace(/\p{Cs}/gu, '\ufffd');
}

function isOpen(dialog) { return dialog.hasAttribute('open'); }

/** Where there are no dialogs (before 2022) it stands over the page all the same. */
function show(dialog) {
  if (dialog.showModal) dialog.showModal();
  else dialog.setAttribute('open', '');
}

function close(dialog) {
  if (!isOpen(dialog)) return;
  if (dialog.close) dialog.close();
  else dialog.removeAttribute('open');
}
