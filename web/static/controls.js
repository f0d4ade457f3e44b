// What is pressed is meant for what was seen. The page changes by itself, a stranger
// comes or goes, and a finger that is on its way then presses something else: such a
// press counts for nothing.

const GRACE = 350; // milliseconds in which somebody may not have seen the change yet
const FAR = 96; // pixels that a finger has to go to the side

/** Since when the controls have meant what they mean now. */
export class Meaning {
  #since = -Infinity;
  #timer = 0;
  #pressed = null; // the last pointerdown: a click comes when the finger goes up

  constructor() {
    addEventListener('pointerdown', (event) => { this.#pressed = event; }, { capture: true });
  }

  /** The controls mean something else from now on. */
  changed() {
    this.#since = new Event('').timeStamp; // the clock of all events
    const root = document.documentElement;
    root.dataset.fresh = '';
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => { delete root.dataset.fresh; }, GRACE);
  }

  /** Whether event was meant for the controls as they are. */
  covers(event) {
    let at = event.timeStamp;
    // A click by a pointer has a count; one by a key or a screen reader has none.
    if (event.type === 'click' && event.detail > 0 && this.#pressed) at = Math.min(at, this.#pressed.timeStamp);
    return at - this.#since >= GRACE;
  }
}

/**
 * Calls swiped with the first event of a gesture that went from the end of a line to its
 * beginning, as a page is turned; moved is told how far it is on the way, 0 to 1, where
 * 1 is far enough. wanted says whether a gesture may begin.
 */
export function onSwipe(node, { wanted, moved, swiped }) {
  let start = null;
  const progress = (event) => {
    const way = (event.clientX - start.clientX) * (document.documentElement.dir === 'rtl' ? 1 : -1);
    const aside = Math.abs(event.clientY - start.clientY);
    return way > 2 * aside ? Math.min(1, way / FAR) : 0;
  };
  const end = () => {
    start = null;
    moved(0);
  };
  node.addEventListener('pointerdown', (event) => {
    start = event.pointerType === 'touch' && event.isPrimary && wanted() ? event : null;
  });
  node.addEventListener('pointermove', (event) => {
    if (start?.pointerId === event.pointerId) moved(progress(event));
  });
  node.addEventListener('pointerup', (event) => {
    if (start?.pointerId !== event.pointerId) return;
    const first = start;
    const far = progress(event) === 1;
    end();
    if (far) swiped(first);
  });
  node.addEventListener('pointercancel', end);
}

/** Calls pressed for Escape, when it is nobody else's key. */
export function onEscape(pressed) {
  addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || event.isComposing || event.keyCode === 229) return;
    if (event.repeat || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    if (pressed(event)) event.preventDefault();
  });
}
