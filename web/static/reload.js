// What a chat needs to go on after a reload of its page: kept by the browser for this tab
// alone, until the chat ends. The counts are kept with each change of theirs, what the page
// shows less often; so the two have a place each.

const CHAT = '.chat';
const PAGE = '.page';
const LASTS = 24 * 3_600_000; // milliseconds: no token is good for longer

/** Keeps chat, and page, or what was kept of that where it is left out. */
export function keepChat(name, chat, page) {
  try {
    if (chat) sessionStorage.setItem(name + CHAT, JSON.stringify({ at: Date.now(), chat }));
    if (page !== undefined) sessionStorage.setItem(name + PAGE, JSON.stringify(page));
  } catch {
    forgetChat(name); // no room, or no storage: rather nothing than half of it
  }
}

/** { chat, page } as they were kept; null where there is none. */
export function keptChat(name) {
  if (name === '') return null;
  try {
    const { at, chat } = JSON.parse(sessionStorage.getItem(name + CHAT));
    if (!(Date.now() - at < LASTS)) return null;
    return { chat, page: JSON.parse(sessionStorage.getItem(name + PAGE)) };
  } catch {
    return null;
  }
}

export function forgetChat(name) {
  try {
    sessionStorage.removeItem(name + CHAT);
    sessionStorage.removeItem(name + PAGE);
  } catch {
    // then nothing was kept
  }
}
