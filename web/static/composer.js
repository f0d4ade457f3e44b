// The text field: Enter sends, Shift+Enter breaks the line, and while an input
// method is composing every key belongs to that. A picture that is pasted, dropped or
// chosen waits beside it until it is sent.

export class Composer {
  #form;
  #field;
  #send;
  #changed;
  #preview; // the box that shows the waiting picture
  #picture = null; // Uint8Array that waits

  /**
   * send is called with a text or picture and returns whether it was taken; if not, the
   * draft stays. changed is called after every change by the user, with whether there
   * is a draft. offered is called with a file that somebody wants to send.
   */
  constructor({ form, field, preview, chooser, send, changed, offered }) {
    this.#form = form;
    this.#field = field;
    this.#preview = preview;
    this.#send = send;
    this.#changed = changed;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    // Pressing a button leaves the focus, and a phone's keyboard, where it was.
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
    field.addEventListener('input', () => {
      this.#fit();
      changed(!this.empty);
    });

    const offer = (event, transfer) => {
      const file = transfer?.files[0];
      if (!file) return;
      event.preventDefault();
      offered(file);
    };
    document.addEventListener('paste', (event) => {
      if (!textFirst(event.clipboardData)) offer(event, event.clipboardData);
    });
    document.addEventListener('drop', (event) => {
      delete document.documentElement.dataset.drop;
      offer(event, event.dataTransfer);
    });
    // A file that misses its target must not become the page.
    document.addEventListener('dragover', (event) => {
      if (!event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      document.documentElement.dataset.drop = '';
    });
    document.addEventListener('dragleave', (event) => {
      if (!event.relatedTarget) delete document.documentElement.dataset.drop;
    });
    chooser.addEventListener('change', (event) => {
      offer(event, chooser);
      chooser.value = '';
    });
    preview.querySelector('button').addEventListener('click', () => {
      this.stage(null);
      changed(!this.empty);
      this.focus();
    });
  }

  get text() { return this.#field.value; }

  /** Puts text before what is being written. */
  write(text) {
    this.#field.value = [text, this.#field.value].filter((part) => part !== '').join('\n');
    this.#fit();
    this.#changed(!this.empty);
  }

  get empty() { return this.#field.value === '' && !this.#picture; }

  /** Lets a picture, a Uint8Array, wait to be sent; or none, for null. */
  stage(picture) {
    const image = this.#preview.querySelector('img');
    if (this.#picture) URL.revokeObjectURL(image.src);
    this.#picture = picture;
    this.#preview.hidden = !picture;
    if (picture) {
      image.src = URL.createObjectURL(new Blob([picture]));
      this.#changed(true);
    } else {
      image.removeAttribute('src');
    }
  }

  /** Throws the draft away. */
  clear() {
    this.stage(null);
    this.#field.value = '';
    this.#fit();
  }

  focus() { this.#field.focus(); }

  #submit() {
    const text = this.#field.value;
    let taken = false;
    if (this.#picture && this.#send(this.#picture)) {
      this.stage(null);
      taken = true;
    }
    if (!this.#picture && text.trim() !== '' && this.#send(text)) {
      this.#field.value = '';
      this.#fit();
      taken = true;
    }
    if (taken) this.#changed(!this.empty);
    this.focus();
  }

  /** Grows the field with its text, where the style sheet's field-sizing does not. */
  #fit() {
    if (window.CSS?.supports?.('field-sizing', 'content')) return;
    this.#field.style.height = 'auto';
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }
}

/**
 * Whether what is pasted is a text, of which a picture only shows the looks: cells of a
 * spreadsheet come as both. A text that only names the file is none.
 */
function textFirst(transfer) {
  const text = transfer?.getData('text/plain').trim() ?? '';
  return text !== '' && ![...transfer.files].some(({ name }) => name !== '' && text.endsWith(name));
}
