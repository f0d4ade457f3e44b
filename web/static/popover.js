// The menu, in browsers that know no popover (before 2024): there its button shows and
// hides it, and so do Esc and a press beside it.

/** Makes of every popover an element that its button shows and hides, where it has to be. */
export function replacePopovers() {
  if (typeof HTMLElement.prototype.showPopover === 'function') return;
  for (const button of document.querySelectorAll('[popovertarget]')) {
    const box = document.getElementById(button.getAttribute('popovertarget'));
    box.hidden = true;
    box.hidePopover = () => { box.hidden = true; };
    button.addEventListener('click', () => { box.hidden = !box.hidden; });
    addEventListener('pointerdown', ({ target }) => {
      if (!box.contains(target) && !button.contains(target)) box.hidden = true;
    }, { capture: true });
    addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || box.hidden) return;
      event.preventDefault(); // it is for the menu alone
      box.hidden = true;
    }, { capture: true });
  }
}
