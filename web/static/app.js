// The user interface: what the connection does becomes words on the page, and what
// is typed goes out.

import { Composer } from './composer.js';
import { Roulette } from './roulette.js';
import { Transcript } from './transcript.js';
import { words } from './words.js';

const $ = (id) => document.getElementById(id);

const chat = new Roulette();
const transcript = new Transcript({ scroller: $('scroller'), log: $('log'), jump: $('jump') });

new Composer({ form: $('composer'), field: $('field'), send });

let shown = 'idle'; // the state that the page shows
let lost = false; // whether the log says that the connection was lost

chat.addEventListener('state', show);
chat.addEventListener('message', ({ data }) => {
  if (typeof data === 'string') {
    transcript.say('stranger', words.stranger, data);
  } else {
    transcript.note(words.binary(data.size));
  }
});
chat.addEventListener('undelivered', ({ detail }) => transcript.note(detail.text));

$('retry').addEventListener('click', () => {
  chat.connect();
  $('field').focus();
});
$('field').addEventListener('input', () => warn(''));
addEventListener('online', show);
addEventListener('offline', show);

chat.connect();

/** Sends text for the composer: true if it is on its way. */
function send(text) {
  try {
    if (!chat.send(text)) {
      warn(words.notSent);
      return false;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    warn(words.tooBig);
    return false;
  }
  warn('');
  transcript.say('you', words.you, text);
  return true;
}

/** Brings the page in line with the state of the connection. */
function show() {
  const { state } = chat;
  if (state !== shown) {
    if (shown === 'connected') {
      transcript.note(state === 'ended' ? explain() : words.lost);
      lost = true;
    } else if (state === 'connected') {
      if (lost) transcript.note(words.back);
      lost = false;
      warn('');
    }
    shown = state;
    document.documentElement.dataset.state = state;
    $('status').textContent = words.state[state];
    $('send').setAttribute('aria-disabled', state !== 'connected');
  }
  $('notice').hidden = state !== 'reconnecting' && state !== 'ended';
  $('explanation').textContent = explain();
  $('retry').hidden = chat.held || (state === 'reconnecting' && chat.retryAt === 0);
  $('retry').textContent = state === 'ended' ? words.connectAgain : words.tryNow;
}

/** The sentence behind the states reconnecting and ended. */
function explain() {
  const code = chat.lastClose?.code;
  switch (chat.state) {
    case 'reconnecting':
      if (chat.held) return words.held(Math.ceil((chat.retryAt - Date.now()) / 1000));
      if (!navigator.onLine) return words.lostAndOffline;
      return code === 1001 ? words.restarting : words.lostAndWaiting;
    case 'ended':
      return code === 1009 ? words.endedTooBig : words.ended;
    default:
      return '';
  }
}

/** Says below the field why something was not sent; an empty text brings the hint back. */
function warn(text) {
  $('warning').textContent = text;
  $('composer').classList.toggle('warned', text !== '');
}
