// Strangers of before: what was said with them folds away under one line when the next
// one comes, and unfolds when somebody presses that.

import { format, words } from './words.js';

/** Folds lines away under head, which began the chat that they are of. */
export function foldFormer(head, lines) {
  const said = lines.filter((line) => line.classList.contains('message'));
  const first = said[0]?.querySelector('time');
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'former';
  const name = document.createElement('span');
  name.textContent = first ? words.former(format.time(new Date(first.dateTime))) : words.stranger;
  const count = document.createElement('span');
  count.className = 'count';
  count.textContent = words.messages(said.length);
  button.append(name, count);
  const fold = (folded) => {
    for (const line of lines) line.hidden = folded;
    button.setAttribute('aria-expanded', String(!folded));
  };
  button.addEventListener('click', () => fold(button.getAttribute('aria-expanded') === 'true'));
  head.replaceChildren(button);
  head.classList.add('folded-chat');
  fold(true);
}
