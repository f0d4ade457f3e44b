// Text with its web addresses made clickable. Everything stays text: what a stranger
// writes is never parsed as HTML.

// Up to white space, quotes, angle brackets, and characters that turn the direction
// of what follows: an address must not look like another.
const ADDRESS = /\bhttps?:\/\/[^\s<>"'`\p{Cc}\p{Cf}]+/giu;
const TRAILING = /[.,;:!?…。、]+$/u;

/** The nodes for text: text nodes, and links that tell nobody where they were found. */
export function linked(text) {
  const nodes = [];
  let done = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    const address = trimmed(found);
    const url = URL.parse?.(address) ?? parse(address);
    // A name before the host is there to deceive.
    if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password) continue;
    const link = document.createElement('a');
    link.href = url.href;
    link.rel = 'noopener noreferrer nofollow';
    link.target = '_blank';
    link.title = url.href; // with a foreign script in the name spelled out
    link.textContent = address;
    nodes.push(text.slice(done, index), link);
    done = index + address.length;
  }
  nodes.push(text.slice(done));
  return nodes;
}

/** address without what belongs to the sentence around it. */
function trimmed(address) {
  for (;;) {
    let shorter = address.replace(TRAILING, '');
    if (shorter.endsWith(')') && count(shorter, ')') > count(shorter, '(')) shorter = shorter.slice(0, -1);
    if (shorter === address) return address;
    address = shorter;
  }
}

function count(text, character) {
  return text.split(character).length - 1;
}

function parse(address) {
  try {
    return new URL(address);
  } catch {
    return null;
  }
}
