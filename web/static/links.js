// Text with its web addresses made clickable. Everything stays text: what a stranger
// writes is never parsed as HTML.

// An address goes up to white space, quotes, angle brackets, and characters that are not
// seen or turn the direction of what follows: it must not look like another. It ends, too,
// before punctuation of other scripts, which belongs to the sentence around it; but for
// dashes and middle dots, which stand inside of names.
const ADDRESS = /\bhttps?:\/\/(?:[^\s<>"'`\p{Cc}\p{Cf}\p{P}]|[\p{Pd}\p{Pc}·・]|[!#%&()*+,./:;?@[\\\]{}])+/giu;
const TRAILING = /[.,;:!?]|(?=\P{ASCII})[\p{P}]/u; // what an address does not end with
const PAIRS = { ')': '(', ']': '[', '}': '{' };
const LONGEST = 2000; // characters of an address
const MOST = 20; // links in one piece of text

/**
 * The nodes for text: text nodes, and links that tell nobody where they were found. An
 * address at the very end is none where text goes on behind it (cut). Time and nodes are
 * bounded by the length of text.
 */
export function linked(text, cut = false) {
  const nodes = [];
  let done = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    if (nodes.length >= 2 * MOST) break;
    if (cut && index + found.length === text.length) break;
    const address = trimmed(found);
    if (address.length > LONGEST) continue;
    const url = parse(address);
    // A name before the host is there to deceive.
    if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password) continue;
    const link = document.createElement('a');
    link.href = url.href;
    link.rel = 'noopener noreferrer nofollow';
    link.target = '_blank';
    link.title = url.href;
    link.textContent = shown(address, url);
    nodes.push(text.slice(done, index), link);
    done = index + address.length;
  }
  nodes.push(text.slice(done));
  return nodes;
}

/** address without what belongs to the sentence around it. */
function trimmed(address) {
  const surplus = {}; // of closing brackets
  for (const close of Object.keys(PAIRS)) surplus[close] = 0;
  for (const character of address) {
    for (const [close, open] of Object.entries(PAIRS)) {
      if (character === close) surplus[close]++;
      else if (character === open) surplus[close]--;
    }
  }
  let end = address.length;
  for (let last; end > 0; end -= last.length) {
    last = /[\udc00-\udfff]/.test(address[end - 1]) ? address.slice(end - 2, end) : address[end - 1];
    if (surplus[last] > 0) surplus[last]--;
    else if (!TRAILING.test(last)) break;
  }
  return address.slice(0, end);
}

/** address as it is shown: where it leads must be seen, so a host that could be taken for another is in ASCII. */
function shown(address, url) {
  const [, scheme, authority, rest] = /^(https?:\/\/)([^/?#\\]*)(.*)$/isu.exec(address);
  const [, typed, port = ''] = /^(.*?)(:\d*)?$/su.exec(authority);
  const host = typed.toLowerCase(); // capitals of other scripts look more like Latin ones
  if (host === url.hostname) return address;
  return scheme + (plain(host) ? host : url.hostname) + port + rest;
}

// What letters a part of a host may mix: one script, or those that are written together.
const TOGETHER = [
  ['Latin'], ['Cyrillic'], ['Greek'], ['Arabic'], ['Hebrew'], ['Armenian'], ['Georgian'], ['Devanagari'], ['Bengali'],
  ['Tamil'], ['Telugu'], ['Thai'], ['Ethiopic'], ['Khmer'], ['Latin', 'Han', 'Hiragana', 'Katakana'], ['Latin', 'Han', 'Hangul'], ['Latin', 'Han', 'Bopomofo'],
].map((scripts) => new RegExp(`^(?:[${scripts.map((script) => `\\p{Script=${script}}`).join('')}]|[0-9\\-]|(?=\\p{M})\\p{Script=Inherited}|[ー・])*$`, 'u'));

// Small letters that are drawn like Latin ones, or hardly otherwise.
const LOOKALIKES = /^[асԁеһіїјӏорԛѕԝхуҽѵѡпгαικνορυχεսոցօհզ0-9-]*$/u;
const ODD_LATIN = /[ı\u01c0-\u01c3\u0180-\u024f\u0250-\u02af\u1d00-\u1dbf\ua720-\ua7ff\uab30-\uab6f\uff00-\uffef]|ß|ς|\p{M}{2}/iu;

/** Whether a host that is not ASCII is written in one script in each part, and looks like no other host. */
function plain(host) {
  return /\P{ASCII}/u.test(host) && !host.includes('%') &&
    host.split('.').every((part) => !ODD_LATIN.test(part) && (!/\P{ASCII}/u.test(part) || !LOOKALIKES.test(part)) && TOGETHER.some((scripts) => scripts.test(part)));
}

function parse(address) {
  try {
    return new URL(address);
  } catch {
    return null;
  }
}
