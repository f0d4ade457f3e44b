// The user interface: what the connection does becomes words on the page, and what
// is typed goes out.

import { Attention } from './attention.js';
import { Composer } from './composer.js';
import { Meaning, onEscape, onSwipe } from './controls.js';
import { Dialogs } from './dialogs.js';
import { WordFilter } from './filter.js';
import { onPanic, veil } from './hide.js';
import { interest, Interests } from './interests.js';
import { close as closePicture } from './large.js';
import { Lobby } from './lobby.js';
import { recall, remember } from './memory.js';
import { Notice } from './notice.js';
import { shrink } from './picture.js';
import { replacePopovers } from './popover.js';
import { Roulette } from './roulette.js';
import { isLanguage, languageName, Spoken } from './spoken.js';
import { Transcript } from './transcript.js';
import { chatURL } from './wire.js';
import { chosenLanguage, format, languages, siteBase, speak, translate, words } from './words.js';

const TYPING_PAUSE = 5_000; // milliseconds without a key after which nobody is typing
const ARMED = 1_000; // milliseconds in which Esc has to be pressed again

const $ = (id) => document.getElementById(id);

translate();
replacePopovers();

const chat = new Roulette(chatURL(location.href, `${siteBase}ws`), { name: `roulette${siteBase}`, keeps });
const attention = new Attention();
const meaning = new Meaning();
const lobby = new Lobby();
const interests = new Interests({ field: $('interest'), tags: $('tags') });
const spoken = new Spoken({ select: $('add-language'), tags: $('spoken') });
const filter = WordFilter.given();
const transcript = new Transcript({ scroller: $('scroller'), log: $('log'), jump: $('jump'), filter });
const notice = new Notice(chat, { next: () => next(), warn });
const dialogs = new Dialogs(chat, { note: (text) => transcript.note(text), stop: () => stop() });
const composer = new Composer({
  form: $('composer'), field: $('field'), preview: $('preview'), chooser: $('chooser'),
  send, changed, offered,
});

let shown = 'closed'; // the state that the page shows
let lost = false; // whether the log says that the connection was lost
let chats = 0; // strangers met
let draftOf = null; // the chat that the draft was begun in; 0 before one, null without a draft
let armed = false; // Esc was pressed once
let missed = 0; // messages that came while nobody looked
let sent = new Map(); // by number of the pairing, on this connection: our messages in the log
let ours = new Map(); // by their numbers, in a chat that is resumed: { element, data }
let met = { common: [], both: [] }; // what is shared with the stranger
let people = null; // in the chat; null: not known
let armedTimer = 0;
let typingTimer = 0;

// The chat

chat.addEventListener('state', show);
chat.addEventListener('message', ({ data }) => {
  strangerTyping(false);
  if (typeof data === 'string') transcript.say('stranger', data);
  else transcript.attach('stranger', data);
  attention.call(`(${++missed}) ${words.newMessages}`);
});
chat.addEventListener('waiting', ({ detail }) => lobby.waits(detail));
chat.addEventListener('paired', ({ detail: { pair, back, common: theirs, languages, resumes } }) => {
  const common = theirs.map(interest).filter((tag) => tag !== '');
  const both = (languages ?? []).filter(isLanguage);
  chats++;
  sent.delete(pair - 2); // nothing is heard of it any more
  if (draftOf > 0) forgetDraft(); // it was meant for somebody else
  else if (draftOf === 0) draftOf = chats;
  transcript.begin(back ? words.together : words.met);
  if (common.length > 0) transcript.note(words.common(format.list(common)), 'common');
  else if (interests.all.length > 0 && lobby.table === '') transcript.note(words.noneShared, 'common');
  if (!resumes && chat.can('resume')) transcript.note(words.notKept, 'common');
  ours = new Map();
  showRoom(common, both);
  if ($('tell').checked) attention.tell(words.met);
  else attention.call(words.met);
  showState();
  takeFocus();
});
chat.addEventListener('left', ({ detail: { reason } }) => {
  transcript.note(reason === 'gone' ? words.youLeft : words.left[reason] ?? words.left.stop);
  if (reason === 'next' || reason === 'stop') notice.offerBack(false);
  attention.call(words.state.left);
});
chat.addEventListener('again', () => notice.wantedBack());
chat.addEventListener('away', ({ detail: { on, lost } }) => {
  $('away').textContent = lost ? words.strangerReconnecting : words.strangerAway;
  $('away').hidden = !on;
  if (on) strangerTyping(false);
});
chat.addEventListener('resumed', ({ detail: { own, seconds, lost } }) => {
  if (lost > 0) transcript.note(words.missed(lost));
  else transcript.note((own ? words.resumed : words.strangerResumed)(format.seconds(Math.max(1, seconds))));
});
chat.addEventListener('fate', ({ detail: { from, to, fate } }) => {
  for (let n = from; n <= to; n++) if (ours.has(n)) transcript.mark(ours.get(n).element, fate);
  if (fate === 'undelivered' && ours.has(to)) offerAgain(ours.get(to));
});
chat.addEventListener('typing', ({ detail: { on } }) => strangerTyping(on));
chat.addEventListener('online', ({ detail: { n } }) => {
  people = n;
  showPeople();
});
chat.addEventListener('notice', ({ detail }) => notice.announce(detail));
chat.addEventListener('warned', ({ detail }) => notice.caution(detail));
chat.addEventListener('undelivered', ({ detail: { pair, n } }) => {
  // What is dropped is always the last that was sent to that stranger.
  const messages = sent.get(pair) ?? [];
  const dropped = n > 0 ? messages.splice(-n) : [];
  for (const { element } of dropped) transcript.mark(element, 'undelivered');
  if (dropped.length > 0) offerAgain(dropped.at(-1));
  if (dropped.length === 0) transcript.note(words.reachedNobody);
});
chat.addEventListener('uncertain', ({ detail: { pair, n } }) => {
  for (const { element } of (sent.get(pair) ?? []).slice(-n)) transcript.mark(element, 'uncertain');
});
chat.addEventListener('refused', ({ detail: { code } }) => {
  if (code === 'too_late') notice.tooLate();
  warn(code === 'rate_limited' ? words.tooFast : code === 'too_late' ? words.tooLate : words.refused);
});

/** Sends text, or a picture's bytes, for the composer: true if it is on its way. */
function send(data) {
  if (typeof data === 'string') data = data.replace(/^\u001e+/, ''); // would not be chat
  let number;
  try {
    number = chat.send(data);
    if (!number) {
      warn(chat.resumes ? words.tooFast : words.notSent[shown === 'left' ? 'left' : shown === 'idle' || shown === 'looking' ? 'nobody' : 'away']);
      return false;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    warn(words.tooBig);
    return false;
  }
  arm(false);
  warn('');
  const element = typeof data === 'string' ? transcript.say('you', data) : transcript.attach('you', data);
  if (chat.resumes) {
    ours.set(number, { element, data });
    transcript.mark(element, 'onItsWay', number);
  } else if (chat.state === 'chatting') {
    if (!sent.has(chat.pair)) sent.set(chat.pair, []);
    sent.get(chat.pair).push({ element, data });
  }
  return true;
}

/** What did not arrive can be had again, as a draft: who gets it then is seen when it is sent. */
function offerAgain({ element, data }) {
  if (!element) return;
  transcript.offerAgain(element, () => {
    if (typeof data === 'string') composer.write(data);
    else composer.stage(data);
    composer.focus();
  });
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
  const idle = now === document.body || now === $('go') || now === $('stop') || now === $('next') || $('lobby').contains(now);
  if (idle && !window.matchMedia?.('(pointer: coarse)').matches) composer.focus();
}

function forgetDraft() {
  composer.clear();
  draftOf = null;
}

// The controls: Start, or Next; Stop; and, while there is somebody, Next

for (const [id, act] of [['go', next], ['next', next], ['stop', stop]]) {
  $(id).addEventListener('click', (event) => { if (meaning.covers(event)) act(); });
}
onEscape((event) => {
  if (!$('cover').hidden || menuIsOpen() || dialogs.open) return false;
  if (closePicture()) return true;
  if (!meaning.covers(event)) return true;
  if (chat.state === 'looking') stop();
  else if (!engaged() || armed) next();
  else arm(true);
  return true;
});
onSwipe($('scroller'), {
  wanted: () => ['chatting', 'left'].includes(chat.state),
  moved: (way) => {
    $('swipe').hidden = way === 0;
    $('swipe').classList.toggle('far', way === 1);
    $('swipe').style.setProperty('--way', String(way));
  },
  swiped: (event) => { if (meaning.covers(event)) next(); },
});
$('retry').addEventListener('click', () => {
  chat.connect();
  composer.focus();
});
lobby.addEventListener('change', look);
lobby.addEventListener('refused', ({ detail }) => warn(detail));
interests.addEventListener('change', lookAgain);
spoken.addEventListener('change', lookAgain);

/** What is wished for of the next stranger. */
function wishes() {
  return { interests: interests.all, languages: spoken.all, table: lobby.table };
}

function next() {
  attention.unlock(attention.sound || $('tell').checked);
  const had = engaged();
  interests.take();
  chat.next(wishes());
  if (had) leftBehind();
}

function stop() {
  const had = engaged();
  chat.stop();
  if (had) leftBehind();
}

/** What outlives a reload of the page in a chat that goes on then. */
function keeps() {
  return { log: transcript.kept(), draft: composer.text, met };
}

/** Shows what was there before the page was loaded again. */
function restore({ log, draft, met: { common, both } }) {
  ours = transcript.restore(log);
  chats = 1;
  showRoom(common, both);
  if (draft !== '') {
    draftOf = chats;
    composer.write(draft);
  }
}

function leftBehind() {
  transcript.note(words.youLeft);
  notice.offerBack(true);
}

function lookAgain() {
  if (chat.state === 'looking') chat.next(wishes());
}

/** Another table: whoever has invited somebody waits there, without a further press. */
function look() {
  if (chat.state === 'looking' || (chat.state !== 'chatting' && lobby.table !== '' && !lobby.invited)) chat.next(wishes());
  showWelcome();
}

/** Esc asks, for a moment that can be seen to pass, whether it is meant. */
function arm(on) {
  clearTimeout(armedTimer);
  if (on) armedTimer = setTimeout(() => arm(false), ARMED);
  if (armed === on) return;
  armed = on;
  $('next').classList.toggle('sure', on);
  warn(on ? words.sureHint : '');
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
    if (controls(before) !== controls(state)) meaning.changed();
    $('send').setAttribute('aria-disabled', String(!engaged()));
    strangerTyping(false);
    $('away').hidden = true;
    arm(false);
    if (state !== 'chatting') clearTimeout(typingTimer);
    warn('');
    if (state === 'connecting' || state === 'reconnecting') sent = new Map();
  }
  notice.show(state);
  showState();
}

/** Which controls there are in a state. */
function controls(state) {
  if (engaged(state)) return 'chatting';
  return state === 'looking' ? state : 'go';
}

/** Whether somebody is there, or will be again. */
function engaged(state = shown) {
  return state === 'chatting' || (state === 'reconnecting' && chat.resumes);
}

/** Everything that is words, so that it can be shown in others. */
function showState() {
  const room = engaged() || shown === 'left';
  $('status').textContent = chat.slow ? words.slow : words.state[shown];
  document.documentElement.toggleAttribute('data-slow', chat.slow);
  $('field').placeholder = words.placeholder[placeholder(engaged() ? 'chatting' : shown)];
  $('lobby').hidden = shown === 'chatting' || ['connecting', 'reconnecting', 'ended'].includes(shown);
  $('room').hidden = !room;
  $('who').textContent = shown === 'left' ? words.state.left : words.stranger;
  $('go').hidden = shown === 'looking' || engaged();
  $('go-label').textContent = chats > 0 ? words.next : words.start;
  $('stop').hidden = shown !== 'looking' && !engaged();
  $('next').hidden = !engaged();
  document.documentElement.toggleAttribute('data-met', chats > 0);
  lobby.show(shown === 'looking');
  dialogs.show();
  showPeople();
  showHint();
  showWelcome();
}

function showPeople() {
  $('online').hidden = people === null || ['closed', 'connecting', 'reconnecting', 'ended'].includes(shown);
  if (people !== null) $('online').textContent = words.online(people);
}

function showWelcome() {
  document.querySelector('[data-words=welcome]').textContent = lobby.invited ? words.invited : words.welcome;
}

/** Who is there: what is shared stands where one looks. */
function showRoom(common, both) {
  met = { common, both };
  const chips = [...common, ...both.map(languageName)].map((text) => {
    const chip = document.createElement('li');
    const name = document.createElement('bdi');
    name.textContent = text;
    chip.append(name);
    return chip;
  });
  $('shared').replaceChildren(...chips);
  $('shared').hidden = chips.length === 0;
}

/** Writes into the log what became of the connection. */
function record(before, state) {
  if (state === 'ended') {
    transcript.note(chat.reason === 'banned' ? words.ends.ended : words.ends[chat.reason] ?? words.ends.ended);
  } else if (engaged(state)) {
    lost = false; // what there is to say is said when the chat goes on
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

function strangerTyping(on) {
  $('typing').hidden = !on;
}

/** Says below the field what is to be known now; an empty text brings the hint back. */
function warn(text) {
  $('warning').textContent = text;
  $('composer').classList.toggle('warned', text !== '');
}

/** The names of keys look like keys. */
function showHint() {
  const text = $('panic').checked ? `${words.hint} ${words.hintHide}` : words.hint;
  $('hint').replaceChildren(...text.split(/(\b(?:Enter|Shift|Esc)\b)/).map((part, i) => {
    if (i % 2 === 0) return part;
    const key = document.createElement('kbd');
    key.textContent = part;
    return key;
  }));
}

// Menu, and the way out

addEventListener('online', show);
addEventListener('offline', show);
document.addEventListener('visibilitychange', () => { missed = 0; });

for (const [setting, usual] of [['sound', false], ['auto', false], ['panic', true]]) {
  $(setting).checked = recall(setting, usual);
  $(setting).addEventListener('change', () => {
    remember(setting, $(setting).checked);
    attention.sound = $('sound').checked;
    attention.unlock();
    notice.recount();
    showHint();
  });
}
attention.sound = $('sound').checked;

$('filters').hidden = !filter;
if (filter) {
  filter.on = $('veil').checked = recall('veil', true);
  $('veil').addEventListener('change', () => {
    remember('veil', filter.on = $('veil').checked);
    if (!filter.on) WordFilter.unveil();
  });
}

$('language').append(...Object.entries(languages).map(([code, name]) => new Option(name, code)));
$('language').value = format.language;
$('language').addEventListener('change', () => changeLanguage($('language').value));
if (chosenLanguage() !== '' && chosenLanguage() !== format.language) changeLanguage(chosenLanguage());

async function changeLanguage(language) {
  await speak(language);
  $('language').value = format.language;
  spoken.show();
  notice.show(shown);
  showState();
}

$('attach').addEventListener('click', () => $('chooser').click());

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
onPanic(() => { if ($('panic').checked) hide(); });

/** Shows nothing, leaves, and forgets: in this order, so that nothing can keep the first from happening. */
function hide() {
  veil($('cover'), true);
  document.title = '\u200b';
  chat.close();
  dialogs.close();
  chat.forget();
  closePicture();
  transcript.clear();
  forgetDraft();
  notice.forget();
  lobby.leave();
  chats = 0;
  lost = false;
  showRoom([], []);
  closeMenu();
  $('uncover').focus();
}

$('uncover').addEventListener('click', () => {
  veil($('cover'), false);
  document.title = words.title;
  $('swipe').hidden = true;
  $('jump').hidden = true;
  notice.show(shown);
  showState();
  chat.connect();
  composer.focus();
});

if (chat.kept) restore(chat.kept);
showState();
chat.connect();
