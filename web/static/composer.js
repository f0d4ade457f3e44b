// The text field: Enter sends, Shift+Enter breaks the line, and while an input
// method is composing every key belongs to that.

export class Composer {
  #field;
  #send;

  /** send is called with the text and returns whether it was taken; if not, the draft stays. */
  constructor({ form, field, send }) {
    this.#field = field;
    this.#send = send;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    // Pressing the button leaves the focus, and a phone's keyboard, where it was.
    form.addEventListener('pointerdown', (event) => {
      if (event.target.closest('button')) event.preventDefault();
    });
    field.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.altKey) return;
      // Safari ends the composition before its last keydown, which has code 229.
      if (event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#submit();
    });
    field.addEventListener('input', () => this.#fit());
  }

  #submit() {
    const text = this.#field.value;
    if (text.trim() !== '' && this.#send(text)) {
      this.#field.value = '';
      this.#fit();
    }
    this.#field.focus();
  }

  /** Grows the field with its text, where the style sheet's field-sizing does not. */
  #fit() {
    if (CSS.supports('field-sizing', 'content')) return;
    this.#field.style.height = 'auto';
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }
}
