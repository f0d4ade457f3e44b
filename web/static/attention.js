// What calls somebody back to a page in the background: its title, a sound for those who
// want one, and a notification for those who wait.

import { siteBase, words } from './words.js';

const EVERY = 1_500; // milliseconds between one title and the other

export class Attention {
  sound = false; // whether it is wanted
  #audio = null;
  #timer = 0;

  constructor() {
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.#calm();
    });
  }

  /** Browsers give sound to a page only out of a key or click of its user. */
  unlock(wanted = this.sound) {
    if (!wanted || !('AudioContext' in window)) return;
    this.#audio ??= new AudioContext();
    if (this.#audio.state === 'suspended') this.#audio.resume().catch(() => {});
  }

  /** Calls, if nobody looks; loud also where sound is not wanted otherwise. */
  call(text, loud = false) {
    if (!document.hidden) return;
    if ((this.sound || loud) && this.#audio) this.#ring();
    clearInterval(this.#timer);
    document.title = text;
    let called = true;
    this.#timer = setInterval(() => {
      called = !called;
      document.title = called ? text : words.title;
    }, EVERY);
  }

  /** The same, and a notification where that is allowed. */
  tell(text) {
    this.call(text, true);
    if (!document.hidden || !('Notification' in window) || Notification.permission !== 'granted') return;
    try {
      const note = new Notification(words.title, { body: text, tag: 'roulette', icon: `${siteBase}icon-192.png` });
      note.addEventListener('click', () => {
        window.focus();
        note.close();
      });
    } catch {
      // Chromium on Android has them for service workers only
    }
  }

  #calm() {
    clearInterval(this.#timer);
    if (this.#timer !== 0) document.title = words.title;
    this.#timer = 0;
  }

  /** Two soft notes, a fourth apart. */
  #ring() {
    const { currentTime, destination } = this.#audio;
    for (const [frequency, after] of [[660, 0], [880, 0.12]]) {
      const note = this.#audio.createOscillator();
      const volume = this.#audio.createGain();
      note.frequency.value = frequency;
      volume.gain.setValueAtTime(0, currentTime + after);
      volume.gain.linearRampToValueAtTime(0.12, currentTime + after + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.001, currentTime + after + 0.5);
      note.connect(volume).connect(destination);
      note.start(currentTime + after);
      note.stop(currentTime + after + 0.5);
    }
  }
}
