// The way out when somebody looks over the shoulder: an empty page with an empty name.

const TIMES = 3; // presses of Shift, alone and in a row
const WITHIN = 2_000; // milliseconds

/** Calls hide when Shift is pressed three times with nothing between. */
export function onPanic(hide) {
  let presses = [];
  addEventListener('keydown', ({ key, repeat, timeStamp }) => {
    if (key !== 'Shift') presses = [];
    else if (!repeat) presses.push(timeStamp);
    if (presses.length < TIMES || timeStamp - presses[presses.length - TIMES] > WITHIN) return;
    presses = [];
    hide();
  }, { capture: true });
  addEventListener('pointerdown', () => { presses = []; }, { capture: true });
}

/** Shows nothing but cover, or again all but cover. */
export function veil(cover, on) {
  for (const part of document.body.children) part.hidden = (part === cover) !== on;
  const icon = document.querySelector('link[rel=icon]');
  if (!icon) return;
  icon.dataset.href ??= icon.getAttribute('href');
  icon.href = on ? 'data:,' : icon.dataset.href;
}
