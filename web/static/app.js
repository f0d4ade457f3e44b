// The user interface: what the connection does becomes words on the page, and what
// is typed goes out.

import { Attention } from './attention.js';
import { Composer } from './composer.js';
import { onPanic, veil } from './hide.js';
import { Interests } from './interests.js';
import { recall, remember } from './memory.js';
import { shrink } from './picture.js';
import { replacePopovers } from './popover.js';
import { Roulette } from './roulette.js';
import { Transcript } from './transcript.js';
import { format, translate, words } from './words.js';

const COUNTDOWN = 5; // seconds before the automatic next
const TYPING_PAUSE = 5_000; // milliseconds without a key after which nobody is typing

const $ = (id) => document.getElementById(id);

translate();
replacePopovers();
for (const hint of document.querySelectorAll('.keys')) markKeys(hint);

const chat = new Roulette();
const attention = new Attention();
const interests = new Interests({ field: $('interest'), tags: $('tags') });
const transcript = new Transcript({ scroller: $('scroller'), log: $('log'), jump: $('jump') });
const composer = new Composer({
  form: $('composer'), field: $('field'), preview: $('preview'), chooser: $('chooser'),
  send, changed, offered,
});

let shown = 'closed'; // the state that the page shows
let lost = false; // whether the log says that the connection was lost
let chats = 0; // strangers met
let draftOf = null; // the chat that the draft was begun in; 0 before one, null without a draft
let armed = false; // the button asks "Really?"
let missed = 0; // messages that came while nobody looked
let sent = new Map(); // by number of the pairing, on this connection: our messages in the log
let countdown = 0; // seconds left to the automatic next; 0: none
let countdownTimer = 0;
let typingTimer = 0;
let noticeTimer = 0; // until the seconds of a pause are counted down by one

// The chat

chat.addEventListener('state', show);
chat.addEventListener('message', ({ data }) => {
  strangerTyping(false);
  if (typeof data === 'string') transcript.say('stranger', data);
  else transcript.attach('stranger', data);
  attention.call(`(${++missed}) ${words.newMessages}`);
});
chat.addEventListener('paired', ({ detail: { pair, common } }) => {
  chats++;
  sent.delete(pair - 2); // nothing is heard of it any more
  if (draftOf > 0) forgetDraft(); // it was meant for somebody else
  else if (draftOf === 0) draftOf = chats;
  transcript.note(words.met, 'new');
  if (common.length > 0) transcript.note(words.common(format.list(common)), 'common');
  else if (interests.all.length > 0) transcript.note(words.noneShared, 'common');
  attention.call(words.met);
  takeFocus();
});
chat.addEventListener('left', ({ detail: { reason } }) => {
  transcript.note(reason === 'gone' ? words.youLeft : words.left[reason] ?? words.left.stop);
  attention.call(words.state.left);
});
chat.addEventListener('away', ({ detail: { on } }) => { $('away').hidden = !on; });
chat.addEventListener('typing', ({ detail: { on } }) => strangerTyping(on));
chat.addEventListener('online', ({ detail: { n } }) => { $('online').textContent = words.online(format.number(n)); });
chat.addEventListener('undelivered', ({ detail: { pair, n } }) => {
  // What is dropped is always the last that was sent to that stranger.
  const messages = sent.get(pair) ?? [];
  const dropped = n > 0 ? messages.splice(-n) : [];
  for (const message of dropped) transcript.undelivered(message);
  if (dropped.length === 0) transcript.note(words.reachedNobody);
});
chat.addEventListener('uncertain', ({ detail: { pair, n } }) => {
  for (const message of (sent.get(pair) ?? []).slice(-n)) transcript.uncertain(message);
});
chat.addEventListener('refused', ({ detail: { code } }) => warn(code === 'rate_limited' ? words.tooFast : words.refused));

/** Sends text, or a picture's bytes, for the composer: true if it is on its way. */
function send(data) {
  if (typeof data === 'string') data = data.replace(/^\u001e+/, ''); // would not be chat
  try {
    if (!chat.send(data)) {
      warn(words.notSent[shown === 'left' ? 'left' : shown === 'idle' || shown === 'looking' ? 'nobody' : 'away']);
      return false;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    warn(words.tooBig);
    return false;
  }
  arm(false);
  warn('');
  const message = typeof data === 'string' ? transcript.say('you', data) : transcript.attach('you', data);
  if (chat.state === 'chatting') {
    if (!sent.has(chat.pair)) sent.set(chat.pair, []);
    sent.get(chat.pair).push(message);
  }
  return true;
}

/** The user has changed the draft. */
function changed(draft) {
  if (!armed) warn('');
  if (!draft) draftOf = null;
  else draftOf ??= ['chatting', 'left', 'reconnecting'].includes(shown) ? chats : 0;

  clearTimeout(typingTimer);
  chat.typing(draft);
  if (draft) typingTimer = setTimeout(() => chat.typing(false), TYPING_PAUSE);
}

/** Somebody wants to send file: it waits beside the text, for a second look. */
async function offered(file) {
  const meant = chats;
  const picture = await shrink(file, chat.maxMessage);
  if (meant !== chats) return; // meant for somebody else
  if (picture) composer.stage(picture);
  else warn(words.pictureRefused);
  composer.focus();
}

/** Puts the focus into the field where it is of no use any more, but opens no phone's keyboard. */
function takeFocus() {
  const now = document.activeElement ?? document.body;
  const idle = now === document.body || now === $('go') || $('interests').contains(now);
  if (idle && !matchMedia('(pointer: coarse)').matches) composer.focus();
}

function forgetDraft() {
  composer.clear();
  draftOf = null;
}

// The button: Stop, Really?, New

$('go').addEventListener('click', go);
$('stay').addEventListener('click', () => count(0));
$('retry').addEventListener('click', () => {
  chat.connect();
  composer.focus();
});
interests.addEventListener('change', () => {
  if (chat.state === 'looking') chat.next({ interests: interests.all });
});

function go() {
  attention.unlock();
  switch (chat.state) {
    case 'looking':
      chat.stop();
      break;
    case 'chatting':
      if (!armed) {
        arm(true);
        return;
      }
      chat.stop();
      transcript.note(words.youLeft);
      break;
    default:
      interests.take();
      chat.next({ interests: interests.all });
  }
}

function arm(on) {
  if (armed === on) return;
  armed = on;
  warn(on ? words.sureHint : '');
  showButton();
}

/** Starts the automatic next, that many seconds from now, or stops it for 0. */
function count(seconds) {
  clearInterval(countdownTimer);
  countdown = seconds;
  if (seconds > 0) {
    countdownTimer = setInterval(() => {
      if (document.hidden) return; // nobody is there to be met
      if (--countdown > 0) {
        showNotice();
      } else {
        count(0);
        go();
      }
    }, 1000);
  }
  showNotice();
}

// What the page shows

/** Brings the page in line with the state of the connection. */
function show() {
  const { state } = chat;
  if (state !== shown) {
    const before = shown;
    shown = state;
    record(before, state);
    document.documentElement.dataset.state = state;
    $('send').setAttribute('aria-disabled', state !== 'chatting');
    $('field').placeholder = words.placeholder[placeholder(state)];
    $('interests').hidden = !['idle', 'looking', 'left', 'closed'].includes(state);
    $('online').hidden = ['closed', 'connecting', 'reconnecting', 'ended'].includes(state);
    strangerTyping(false);
    $('away').hidden = true;
    arm(false);
    if (state !== 'chatting') clearTimeout(typingTimer);
    warn('');
    if (state === 'connecting' || state === 'reconnecting') sent = new Map();
    count(state === 'left' && $('auto').checked ? COUNTDOWN : 0);
    showButton();
  }
  $('status').textContent = chat.slow ? words.slow : words.state[state];
  document.documentElement.toggleAttribute('data-slow', chat.slow);
  showNotice();
}

/** Writes into the log what became of the connection. */
function record(before, state) {
  if (state === 'ended') {
    transcript.note(explain());
  } else if (state === 'reconnecting') {
    if (before !== 'chatting' && before !== 'connecting') transcript.note(words.lost); // left says it, too
    lost = before !== 'connecting';
  } else if (lost && state !== 'closed') {
    transcript.note(words.reconnected);
    lost = false;
  }
}

function placeholder(state) {
  switch (state) {
    case 'looking':
    case 'chatting':
    case 'left':
      return state;
    case 'idle':
      return chats > 0 ? 'left' : 'ready';
    default:
      return 'away';
  }
}

function showButton() {
  const kind = { looking: 'stop', chatting: 'stop' }[shown] ?? (chats > 0 ? 'next' : 'start');
  $('go').dataset.kind = armed ? 'sure' : kind;
  $('go-label').textContent = words[armed ? 'sure' : kind];
}

function showNotice() {
  const away = shown === 'reconnecting' || shown === 'ended';
  clearTimeout(noticeTimer);
  if (shown === 'reconnecting' && chat.retryAt > 0) noticeTimer = setTimeout(showNotice, 1000);
  $('notice').hidden = !away && countdown === 0 && !chat.slow;
  $('explanation').textContent = away ? explain() : countdown > 0 ? words.countdown(countdown) : chat.slow ? words.slowHint : '';
  $('stay').hidden = countdown === 0;
  $('retry').hidden = !away || chat.held || (shown === 'reconnecting' && chat.retryAt === 0);
  $('retry').textContent = shown === 'ended' ? words.connectAgain : words.tryNow;
}

/** The sentence behind the states reconnecting and ended. */
function explain() {
  if (chat.state === 'ended') return words.ends[chat.reason] ?? words.ends.ended;
  if (!chat.held && !navigator.onLine) return words.lostAndOffline;
  if (chat.retryAt === 0) return words.lostAndWaiting;
  const seconds = Math.max(1, Math.ceil((chat.retryAt - Date.now()) / 1000));
  return (words.retry[chat.reason] ?? words.retry.lost)(format.seconds(seconds));
}

function strangerTyping(on) {
  $('typing').hidden = !on;
}

/** Says below the field what is to be known now; an empty text brings the hint back. */
function warn(text) {
  $('warning').textContent = text;
  $('composer').classList.toggle('warned', text !== '');
}

/** Makes keys of the names of keys in node. */
function markKeys(node) {
  node.replaceChildren(...node.textContent.split(/(\b(?:Enter|Shift|Esc)\b)/).map((part, i) => {
    if (i % 2 === 0) return part;
    const key = document.createElement('kbd');
    key.textContent = part;
    return key;
  }));
}

// Keys, menu, and the way out

addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || event.isComposing || event.keyCode === 229) return;
  if (event.repeat || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  if (!$('cover').hidden || menuIsOpen()) return;
  event.preventDefault();
  go();
});
addEventListener('online', show);
addEventListener('offline', show);
document.addEventListener('visibilitychange', () => { missed = 0; });

for (const setting of ['sound', 'auto']) {
  $(setting).checked = recall(setting, false);
  $(setting).addEventListener('change', () => {
    remember(setting, $(setting).checked);
    attention.sound = $('sound').checked;
    attention.unlock();
    count(shown === 'left' && $('auto').checked ? COUNTDOWN : 0);
  });
}
attention.sound = $('sound').checked;

$('attach').addEventListener('click', () => {
  closeMenu();
  $('chooser').click();
});

$('save').addEventListener('click', () => {
  closeMenu();
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([transcript.text()], { type: 'text/plain' }));
  link.download = `roulette-${new Date().toISOString().slice(0, 10)}.txt`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
});

function menuIsOpen() {
  try {
    return $('menu').matches(':popover-open');
  } catch {
    return false; // see popover.js
  }
}

function closeMenu() {
  $('menu').hidePopover?.();
}

$('hide').addEventListener('click', hide);
onPanic(hide);

/** Shows nothing, leaves, and forgets: in this order, so that nothing can keep the first from happening. */
function hide() {
  veil($('cover'), true);
  document.title = '\u200b';
  chat.close();
  transcript.clear();
  forgetDraft();
  chats = 0;
  lost = false;
  closeMenu();
  $('uncover').focus();
}

$('uncover').addEventListener('click', () => {
  veil($('cover'), false);
  document.title = words.title;
  showNotice();
  showButton();
  $('jump').hidden = true;
  chat.connect();
  composer.focus();
});

chat.connect();
