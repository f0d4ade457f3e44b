// A proof of work, when the server asks for one: PBKDF2-HMAC-SHA-256 again and again. The
// browser computes it beside the page (WebCrypto, many at a time); where it keeps that from
// pages, as over http, the page does it itself, a slice at a time, so that it goes on.

const PARTS = 8;
const ROUNDS = 256;
const AT_ONCE = 16;
const SLICE = 12; // milliseconds

/** The answers to a puzzle, an array; null when stopped() says so before. */
export async function solve(seed, bits, stopped) {
  const derive = globalThis.crypto?.subtle ? await native(seed) : own(seed, bits);
  const answers = [];
  let sliceEnds = performance.now() + SLICE;
  for (let part = 0; part < PARTS; part++) {
    for (let n = 0; answers.length === part; n += AT_ONCE) {
      if (stopped()) return null;
      const firsts = derive(part, n);
      const found = (firsts instanceof Promise ? await firsts : firsts).findIndex((first) => Math.clz32(first) >= bits);
      if (found >= 0) answers.push(n + found);
      if (performance.now() < sliceEnds) continue;
      await new Promise((goOn) => { setTimeout(goOn); });
      sliceEnds = performance.now() + SLICE;
    }
  }
  return answers;
}

function saltOf(part, n) {
  const salt = new DataView(new ArrayBuffer(8));
  salt.setUint32(0, part);
  salt.setUint32(4, n);
  return salt.buffer;
}

/** What derives the first 32 bits for AT_ONCE numbers from n on. */
async function native(seed) {
  const { subtle } = crypto;
  const key = await subtle.importKey('raw', new TextEncoder().encode(seed), 'PBKDF2', false, ['deriveBits']);
  const one = async (part, n) => new DataView(await subtle.deriveBits(
    { name: 'PBKDF2', hash: 'SHA-256', salt: saltOf(part, n), iterations: ROUNDS }, key, 256)).getUint32(0);
  return (part, n) => Promise.all(Array.from({ length: AT_ONCE }, (_, i) => one(part, n + i)));
}

/** The same without WebCrypto (RFC 8018, section 5.2; RFC 2104). The seed has less than 64 bytes. */
function own(seed, bits) {
  const block = new Int32Array(16);
  const pads = [0x36363636, 0x5c5c5c5c].map((pad) => {
    block.fill(pad);
    for (let i = 0; i < seed.length; i++) block[i >> 2] ^= seed.charCodeAt(i) << (24 - 8 * (i & 3));
    return compress(START, block, new Int32Array(8));
  });
  const sum = new Int32Array(8);
  /** Makes sum the HMAC of the first length words of block. */
  const hmac = (length) => {
    for (const pad of pads) {
      block[length] = 0x80000000;
      block.fill(0, length + 1);
      block[15] = 512 + 32 * length;
      compress(pad, block, sum);
      block.set(sum);
      length = 8;
    }
  };
  const one = (part, n) => {
    block[0] = part;
    block[1] = n;
    block[2] = 1;
    hmac(3);
    let first = sum[0];
    for (let round = 1; round < ROUNDS; round++) {
      hmac(8);
      first ^= sum[0];
    }
    return first;
  };
  return (part, n) => {
    const firsts = [];
    for (let i = 0; i < AT_ONCE; i++) {
      firsts.push(one(part, n + i));
      if (Math.clz32(firsts[i]) >= bits) break;
    }
    return firsts;
  };
}

// SHA-256 (FIPS 180-4, section 6.2) of one block.

const PRIMES = [];
for (let n = 2; PRIMES.length < 64; n++) if (PRIMES.every((p) => n % p !== 0)) PRIMES.push(n);
const fraction = (x) => (x - Math.floor(x)) * 2 ** 32 | 0;
const START = Int32Array.from(PRIMES.slice(0, 8), (p) => fraction(Math.sqrt(p)));
const K = Int32Array.from(PRIMES, (p) => fraction(Math.cbrt(p)));
const W = new Int32Array(64);

/** Makes into what SHA-256 makes of a state and a block; it may not be the state. */
function compress(state, block, into) {
  for (let i = 0; i < 16; i++) W[i] = block[i];
  for (let i = 16; i < 64; i++) {
    const x = W[i - 15];
    const y = W[i - 2];
    W[i] = W[i - 16] + W[i - 7] + ((x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3) +
      ((y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10);
  }
  let a = state[0];
  let b = state[1];
  let c = state[2];
  let d = state[3];
  let e = state[4];
  let f = state[5];
  let g = state[6];
  let h = state[7];
  for (let i = 0; i < 64; i++) {
    const t = h + ((e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7)) + (e & f ^ ~e & g) + K[i] + W[i] | 0;
    const s = ((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10)) + (a & b ^ a & c ^ b & c) | 0;
    h = g;
    g = f;
    f = e;
    e = d + t | 0;
    d = c;
    c = b;
    b = a;
    a = t + s | 0;
  }
  into[0] = state[0] + a;
  into[1] = state[1] + b;
  into[2] = state[2] + c;
  into[3] = state[3] + d;
  into[4] = state[4] + e;
  into[5] = state[5] + f;
  into[6] = state[6] + g;
  into[7] = state[7] + h;
  return into;
}
