// Pictures: made small enough for one message, and recognised by their bytes. Whatever
// a stranger sends is a picture only if it begins like one; a browser never gets to
// guess, and never sees SVG, which could hold scripts.

const LARGEST_SIDE = 8192; // of what is shown: a few bytes can ask for gigabytes of pixels
const MOST_PIXELS = 12e6;
const MOST_MOVING = 1e6; // pixels of one that moves: they are drawn again and again
const MOST_FRAMES = 600;
const MOST_SCANS = 50; // of a JPEG; cameras and programs write ten

const SIDES = [1600, 1200, 900, 640, 480, 320, 200]; // tried in this order
const QUALITIES = [0.85, 0.7, 0.5];

/**
 * The media type, width and height of the picture in bytes, a Uint8Array; null if it
 * is none of PNG, JPEG, WebP and GIF, or larger than is good for the one who looks.
 */
export function recognise(bytes) {
  const found = png(bytes) ?? gif(bytes) ?? webp(bytes) ?? jpeg(bytes);
  if (!found) return null;
  const { width, height, frames = 1 } = found;
  if (width < 1 || height < 1 || width > LARGEST_SIDE || height > LARGEST_SIDE) return null;
  if (frames > MOST_FRAMES || width * height > (frames > 1 ? MOST_MOVING : MOST_PIXELS)) return null;
  return found;
}

/**
 * A picture of at most limit bytes made of file, as a Uint8Array, drawn anew: without
 * the place, time and device that a camera writes into it. A GIF, which has none of
 * these and may move, stays as it is if it is small enough. null if file is no picture,
 * or cannot be made small enough.
 */
export async function shrink(file, limit) {
  if (file.type === 'image/svg+xml') return null;
  if (file.size <= limit) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    if (gif(bytes)) return recognise(bytes) && bytes;
  }
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return null;
  }
  try {
    const largest = Math.max(bitmap.width, bitmap.height);
    for (const side of [Math.min(largest, SIDES[0]), ...SIDES.filter((side) => side < largest)]) {
      const canvas = draw(bitmap, side / largest);
      for (const quality of QUALITIES) {
        const blob = await encode(canvas, quality);
        if (!blob || blob.size > 4 * limit) break; // less quality would not do
        if (blob.size <= limit) return new Uint8Array(await blob.arrayBuffer());
      }
    }
  } finally {
    bitmap.close();
  }
  return null;
}

/** WebP, or JPEG from a browser that cannot write it. */
async function encode(canvas, quality) {
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/webp', quality));
  if (blob?.type === 'image/webp') return blob;
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', quality));
}

function draw(bitmap, scale) {
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext('2d');
  context.fillStyle = '#fff'; // JPEG knows no transparency
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas;
}

function view(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function begins(bytes, at, text) {
  if (bytes.length < at + text.length) return false;
  for (let i = 0; i < text.length; i++) {
    if (bytes[at + i] !== text.charCodeAt(i)) return false;
  }
  return true;
}

function png(bytes) {
  if (!begins(bytes, 0, '\x89PNG\r\n\x1a\n') || !begins(bytes, 12, 'IHDR') || bytes.length < 24) return null;
  const v = view(bytes);
  const found = { type: 'image/png', width: v.getUint32(16), height: v.getUint32(20), frames: 1 };
  // One that moves says so in a chunk before its first picture.
  for (let at = 8; at + 12 <= bytes.length && !begins(bytes, at + 4, 'IDAT'); at += 12 + v.getUint32(at)) {
    if (begins(bytes, at + 4, 'acTL')) found.frames = Math.max(found.frames, v.getUint32(at + 8));
  }
  return found;
}

/** Frames may be larger than the screen they are for, and some browsers then show them whole. */
function gif(bytes) {
  if (!(begins(bytes, 0, 'GIF87a') || begins(bytes, 0, 'GIF89a')) || bytes.length < 13) return null;
  const v = view(bytes);
  const found = { type: 'image/gif', width: v.getUint16(6, true), height: v.getUint16(8, true), frames: 0 };
  const colours = (flags) => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  for (let at = 13 + colours(bytes[10]); at < bytes.length;) {
    if (bytes[at] === 0x21) { // an extension
      at += 2;
    } else if (bytes[at] === 0x2c && at + 11 <= bytes.length) { // a frame
      found.frames++;
      found.width = Math.max(found.width, v.getUint16(at + 1, true) + v.getUint16(at + 5, true));
      found.height = Math.max(found.height, v.getUint16(at + 3, true) + v.getUint16(at + 7, true));
      at += 11 + colours(bytes[at + 9]);
    } else {
      break; // its end, or no GIF any more
    }
    while (at < bytes.length && bytes[at] !== 0) at += 1 + bytes[at]; // blocks of data
    at++;
  }
  return found;
}

function webp(bytes) {
  if (!begins(bytes, 0, 'RIFF') || !begins(bytes, 8, 'WEBP') || bytes.length < 30) return null;
  const v = view(bytes);
  const type = 'image/webp';
  if (begins(bytes, 12, 'VP8X')) {
    let frames = 0;
    for (let at = 12; at + 8 <= bytes.length;) {
      if (begins(bytes, at, 'ANMF')) frames++;
      const length = v.getUint32(at + 4, true);
      at += 8 + length + length % 2;
    }
    return { type, width: (v.getUint32(24, true) & 0xffffff) + 1, height: (v.getUint32(26, true) >>> 8) + 1, frames: Math.max(1, frames) };
  }
  if (begins(bytes, 12, 'VP8L')) {
    const bits = v.getUint32(21, true);
    return { type, width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
  }
  if (begins(bytes, 12, 'VP8 ')) {
    return { type, width: v.getUint16(26, true) & 0x3fff, height: v.getUint16(28, true) & 0x3fff };
  }
  return null;
}

/** The size stands in the frame header, behind any number of other segments. */
function jpeg(bytes) {
  if (!begins(bytes, 0, '\xff\xd8\xff')) return null;
  if (scans(bytes) > MOST_SCANS) return null;
  const v = view(bytes);
  for (let at = 2; at + 9 <= bytes.length && bytes[at] === 0xff;) {
    const marker = bytes[at + 1];
    if (marker === 0xff) { // padding
      at++;
      continue;
    }
    // C0 to CF are the frames, but for tables (C4, CC) and an extension (C8).
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      return { type: 'image/jpeg', width: v.getUint16(at + 7), height: v.getUint16(at + 5) };
    }
    at += 2 + v.getUint16(at + 2);
  }
  return null;
}

/** How often a JPEG goes over its pixels: what is not the beginning of a scan has no such bytes. */
function scans(bytes) {
  let n = 0;
  for (let at = bytes.indexOf(0xff); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    if (bytes[at + 1] === 0xda) n++;
  }
  return n;
}
