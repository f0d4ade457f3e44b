// Pictures: made small enough for one message, and recognised by their bytes. Whatever
// a stranger sends is a picture only if it begins like one; a browser never gets to
// guess, and never sees SVG, which could hold scripts.

const LARGEST_SIDE = 8192; // of what is shown: a few bytes can ask for gigabytes of pixels
const MOST_PIXELS = 24e6;

const SIDES = [1600, 1200, 900, 640, 480, 320, 200]; // tried in this order
const QUALITIES = [0.85, 0.7, 0.5];

/**
 * The media type, width and height of the picture in bytes, a Uint8Array; null if it
 * is none of PNG, JPEG, WebP and GIF, or larger than is good for the one who looks.
 */
export function recognise(bytes) {
  const found = png(bytes) ?? gif(bytes) ?? webp(bytes) ?? jpeg(bytes);
  if (!found) return null;
  const { width, height } = found;
  if (width < 1 || height < 1 || width > LARGEST_SIDE || height > LARGEST_SIDE || width * height > MOST_PIXELS) return null;
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
  return { type: 'image/png', width: view(bytes).getUint32(16), height: view(bytes).getUint32(20) };
}

function gif(bytes) {
  if (!(begins(bytes, 0, 'GIF87a') || begins(bytes, 0, 'GIF89a')) || bytes.length < 10) return null;
  return { type: 'image/gif', width: view(bytes).getUint16(6, true), height: view(bytes).getUint16(8, true) };
}

function webp(bytes) {
  if (!begins(bytes, 0, 'RIFF') || !begins(bytes, 8, 'WEBP') || bytes.length < 30) return null;
  const v = view(bytes);
  const type = 'image/webp';
  if (begins(bytes, 12, 'VP8X')) {
    return { type, width: (v.getUint32(24, true) & 0xffffff) + 1, height: (v.getUint32(26, true) >>> 8) + 1 };
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
