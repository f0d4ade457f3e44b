// A QR code (ISO/IEC 18004) of a short text: byte mode, error correction level M,
// versions 1 to 10. That holds 213 bytes, and an invite link has some sixty.

// By version: error correction bytes in a block, then blocks and data bytes in each, for
// the one or two sizes of block there are.
const BLOCKS = [
  [10, 1, 16], [16, 1, 28], [26, 1, 44], [18, 2, 32], [24, 2, 43],
  [16, 4, 27], [18, 4, 31], [22, 2, 38, 2, 39], [22, 3, 36, 2, 37], [26, 4, 43, 1, 44],
];
const ALIGNED = [[], [6, 18], [6, 22], [6, 26], [6, 30], [6, 34], [6, 22, 38], [6, 24, 42], [6, 26, 46], [6, 28, 50]];
const LEVEL_M = 0b00;

const MASKS = [
  (x, y) => (x + y) % 2 === 0, (x, y) => y % 2 === 0, (x) => x % 3 === 0, (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(y / 2) + Math.floor(x / 3)) % 2 === 0, (x, y) => (x * y) % 2 + (x * y) % 3 === 0,
  (x, y) => ((x * y) % 2 + (x * y) % 3) % 2 === 0, (x, y) => ((x + y) % 2 + (x * y) % 3) % 2 === 0,
];

/** The code of text: rows of booleans, true for dark; null if text is too long. */
export function qr(text) {
  const bytes = new TextEncoder().encode(text);
  const version = BLOCKS.findIndex((blocks, i) => bytes.length + (i < 9 ? 2 : 3) <= capacity(blocks)) + 1;
  if (version === 0) return null;
  const codewords = interleave(encode(bytes, version), BLOCKS[version - 1]);
  let best = null;
  for (let mask = 0; mask < MASKS.length; mask++) {
    const { dark, fixed } = frame(version, mask);
    fill(dark, fixed, codewords, MASKS[mask]);
    const cost = penalty(dark);
    if (!best || cost < best.cost) best = { dark, cost };
  }
  return best.dark;
}

/** An SVG image of text's code, with the quiet zone around it; null if text is too long. */
export function qrImage(text) {
  const rows = qr(text);
  if (!rows) return null;
  const size = rows.length + 8;
  const path = rows.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x + 4} ${y + 4}h1v1h-1z` : ''))).join('');
  const image = svg('svg', { viewBox: `0 0 ${size} ${size}`, 'shape-rendering': 'crispEdges', role: 'img' });
  image.append(svg('rect', { width: size, height: size, fill: '#fff' }), svg('path', { d: path, fill: '#000' }));
  return image;
}

function svg(name, attributes) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

function capacity([, ...groups]) {
  let n = 0;
  for (let i = 0; i < groups.length; i += 2) n += groups[i] * groups[i + 1];
  return n;
}

/** The data bytes: mode, length, text, and padding up to what the version holds. */
function encode(bytes, version) {
  const bits = [];
  const put = (value, length) => { for (let i = length - 1; i >= 0; i--) bits.push((value >> i) & 1); };
  put(0b0100, 4);
  put(bytes.length, version < 10 ? 8 : 16);
  for (const byte of bytes) put(byte, 8);
  const room = 8 * capacity(BLOCKS[version - 1]);
  put(0, Math.min(4, room - bits.length));
  put(0, (8 - bits.length % 8) % 8);
  for (let pad = 0xec; bits.length < room; pad ^= 0xec ^ 0x11) put(pad, 8);
  const data = [];
  for (let i = 0; i < bits.length; i += 8) data.push(bits.slice(i, i + 8).reduce((byte, bit) => byte * 2 + bit, 0));
  return data;
}

/** data in blocks, with their error correction, taken in turn from each. */
function interleave(data, [corrections, ...groups]) {
  const blocks = [];
  for (let i = 0, at = 0; i < groups.length; i += 2) {
    for (let n = 0; n < groups[i]; n++, at += groups[i + 1]) blocks.push(data.slice(at, at + groups[i + 1]));
  }
  const checks = blocks.map((block) => remainder(block, corrections));
  const turns = (lists) => {
    const longest = Math.max(...lists.map(({ length }) => length));
    return Array.from({ length: longest }, (_, i) => lists.filter((list) => i < list.length).map((list) => list[i])).flat();
  };
  return [...turns(blocks), ...turns(checks)];
}

// The field of 256 elements that Reed-Solomon codes are made in.
const EXP = [];
const LOG = [];
for (let i = 0, x = 1; i < 255; i++) {
  EXP[i] = x;
  LOG[x] = i;
  x = x < 128 ? x * 2 : (x * 2) ^ 0x11d;
}

function times(a, b) {
  return a === 0 || b === 0 ? 0 : EXP[(LOG[a] + LOG[b]) % 255];
}

function remainder(block, degree) {
  let generator = [1];
  for (let i = 0; i < degree; i++) {
    const next = [...generator, 0];
    generator.forEach((factor, at) => { next[at + 1] ^= times(factor, EXP[i]); });
    generator = next;
  }
  const rest = [...block, ...new Array(degree).fill(0)];
  for (let i = 0; i < block.length; i++) {
    const factor = rest[i];
    generator.forEach((g, at) => { rest[i + at] ^= times(g, factor); });
  }
  return rest.slice(block.length);
}

/** What does not depend on the text; fixed says where that is. */
function frame(version, mask) {
  const size = 17 + 4 * version;
  const grid = () => Array.from({ length: size }, () => new Array(size).fill(false));
  const dark = grid();
  const fixed = grid();
  const set = (x, y, on) => {
    if (x < 0 || y < 0 || x >= size || y >= size) return;
    dark[y][x] = on;
    fixed[y][x] = true;
  };
  const square = (x, y, radius, rings) => {
    for (let dy = -radius; dy <= radius; dy++) {
      for (let dx = -radius; dx <= radius; dx++) set(x + dx, y + dy, rings.includes(Math.max(Math.abs(dx), Math.abs(dy))));
    }
  };
  for (let i = 0; i < size; i++) {
    set(6, i, i % 2 === 0);
    set(i, 6, i % 2 === 0);
  }
  const places = ALIGNED[version - 1];
  for (const x of places) {
    for (const y of places) {
      const corner = (x === 6 && y === 6) || (x === 6 && y === size - 7) || (x === size - 7 && y === 6);
      if (!corner) square(x, y, 2, [0, 2]);
    }
  }
  for (const [x, y] of [[3, 3], [size - 4, 3], [3, size - 4]]) square(x, y, 4, [0, 1, 3]);
  format(size, mask, set);
  if (version >= 7) {
    const bits = withCheck(version, 12, 0x1f25);
    for (let i = 0; i < 18; i++) {
      const on = ((bits >> i) & 1) === 1;
      set(size - 11 + i % 3, Math.floor(i / 3), on);
      set(Math.floor(i / 3), size - 11 + i % 3, on);
    }
  }
  return { dark, fixed };
}

/** value with the remainder of a BCH code behind it. */
function withCheck(value, length, generator) {
  let rest = value << length;
  const top = 31 - Math.clz32(generator);
  while (rest !== 0 && 31 - Math.clz32(rest) >= top) rest ^= generator << (31 - Math.clz32(rest) - top);
  return (value << length) | rest;
}

/** Level and mask stand twice around the corners. */
function format(size, mask, set) {
  const bits = withCheck((LEVEL_M << 3) | mask, 10, 0x537) ^ 0x5412;
  const bit = (i) => ((bits >> i) & 1) === 1;
  for (let i = 0; i <= 5; i++) set(8, i, bit(i));
  set(8, 7, bit(6));
  set(8, 8, bit(7));
  set(7, 8, bit(8));
  for (let i = 9; i < 15; i++) set(14 - i, 8, bit(i));
  for (let i = 0; i < 8; i++) set(size - 1 - i, 8, bit(i));
  for (let i = 8; i < 15; i++) set(8, size - 15 + i, bit(i));
  set(8, size - 8, true);
}

/** Lays the bits of codewords in pairs of columns, upwards and downwards in turn. */
function fill(dark, fixed, codewords, mask) {
  const size = dark.length;
  let at = 0;
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right--; // the timing pattern has this column
    const upwards = ((right + 1) & 2) === 0;
    for (let i = 0; i < size; i++) {
      const y = upwards ? size - 1 - i : i;
      for (const x of [right, right - 1]) {
        if (fixed[y][x]) continue;
        const bit = at < 8 * codewords.length && ((codewords[at >> 3] >> (7 - (at & 7))) & 1) === 1;
        dark[y][x] = bit !== mask(x, y);
        at++;
      }
    }
  }
}

/** How hard a code is to read: long runs, blocks, what looks like a corner, imbalance. */
function penalty(dark) {
  const size = dark.length;
  const lines = [...dark, ...dark.map((_, x) => dark.map((row) => row[x]))];
  let cost = 0;
  for (const line of lines) {
    const text = line.map(Number).join('');
    for (const [run] of text.matchAll(/0{5,}|1{5,}/g)) cost += run.length - 2;
    cost += 40 * [...text.matchAll(/(?=10111010000|00001011101)/g)].length;
  }
  for (let y = 1; y < size; y++) {
    for (let x = 1; x < size; x++) {
      if (dark[y][x] === dark[y - 1][x] && dark[y][x] === dark[y][x - 1] && dark[y][x] === dark[y - 1][x - 1]) cost += 3;
    }
  }
  const share = dark.flat().filter(Boolean).length / size ** 2;
  return cost + 10 * Math.floor(Math.abs(share - 0.5) * 20);
}
