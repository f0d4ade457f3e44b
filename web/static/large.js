// A picture as large as the window, over everything else, until it is pressed or Esc is.

import { words } from './words.js';

let open = null;

/** Shows a copy of image large. */
export function enlarge(image) {
  close();
  const before = document.activeElement;
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'large';
  button.setAttribute('aria-label', words.close);
  const canvas = document.createElement('canvas'); // the picture's address is gone by now
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  canvas.getContext('2d').drawImage(image, 0, 0);
  button.append(canvas);
  button.addEventListener('click', close);
  document.body.append(button);
  open = { button, before };
  button.focus();
}

/** Closes it; says whether one was open. */
export function close() {
  if (!open) return false;
  const { button, before } = open;
  open = null;
  button.remove();
  before?.focus();
  return true;
}
