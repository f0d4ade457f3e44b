// A client's half of a chat that outlives its connections: what it has sent, how far the
// stranger has shown it, and how much of the stranger it has shown itself. The rules are
// those of the server's package resume, and the cases that both are held against stand
// there. It knows no sockets, no clock and no page.

/** What is kept for the stranger to be told again. */
export const RING_MESSAGES = 256;
export const RING_BYTES = 256 * 1024;

/** After how many shown messages it is said how many there are. */
export const HAVE_EVERY = 32;

/** A count that cannot be: a chat with such a stranger cannot be resumed. */
export class CountError extends Error {}

export class Ledger {
  #ring = []; // the latest sent, as far as they are kept: { data, size }
  #bytes = 0; // in the ring
  #sent = 0; // messages of this chat
  #delivered = 0; // of these the stranger has shown
  #shown = 0; // messages of the stranger
  #said = 0; // as many as the stranger was told

  get count() { return this.#sent; }
  get delivered() { return this.#delivered; }
  get shown() { return this.#shown; }

  /** Whether messages were shown that the stranger was not told of. */
  get unsaid() { return this.#shown !== this.#said; }

  /** Notes a message of that many bytes, and returns its number. A full ring forgets its oldest. */
  sent(data, size) {
    this.#ring.push({ data, size });
    this.#bytes += size;
    this.#sent++;
    while (this.#ring.length > RING_MESSAGES || (this.#bytes > RING_BYTES && this.#ring.length > 1)) this.#forget(1);
    return this.#sent;
  }

  /** Message number n, { data, size }, while it is kept. */
  message(n) { return this.#ring[this.#ring.length - 1 - (this.#sent - n)]; }

  /** Notes that a message of the stranger was shown. True: it is time to say so. */
  showed() {
    this.#shown++;
    return this.#shown - this.#said >= HAVE_EVERY;
  }

  /** How many messages of the stranger were shown; notes that this is said. */
  have() {
    this.#said = this.#shown;
    return this.#shown;
  }

  /** Notes that the stranger has shown n messages, and forgets them. */
  confirm(n) {
    if (!isCount(n) || n > this.#sent) throw new CountError(`${n} shown of ${this.#sent}`);
    if (n <= this.#delivered) return;
    this.#delivered = n;
    const first = this.#sent - this.#ring.length;
    if (n > first) this.#forget(n - first);
  }

  /**
   * What is to be sent again to a stranger who has shown n messages: those from number
   * from on. The lost ones before them are not kept any more.
   */
  replay(n) {
    if (!isCount(n) || n < this.#delivered) throw new CountError(`${n} shown, ${this.#delivered} before`);
    this.confirm(n);
    const first = this.#sent - this.#ring.length;
    return { from: first + 1, lost: first - n };
  }

  /** Notes that the stranger begins again with message number from, after lost ones that are not kept. */
  replayed(from, lost) {
    if (!isCount(from) || !isCount(lost) || lost >= from || from - 1 - lost !== this.#shown) {
      throw new CountError(`from ${from}, ${lost} lost, ${this.#shown} shown`);
    }
    this.#shown += lost;
  }

  #forget(n) {
    for (const { size } of this.#ring.splice(0, n)) this.#bytes -= size;
  }

  /** All of it, for JSON; write makes a string of what is no string. */
  kept(write) {
    return {
      sent: this.#sent, delivered: this.#delivered, shown: this.#shown, said: this.#said,
      ring: this.#ring.map(({ data, size }) => [typeof data === 'string' ? data : { binary: write(data) }, size]),
    };
  }

  /** The ledger that was kept, or null where that is none; read is the way back from write. */
  static from(kept, read) {
    const ledger = new Ledger();
    const { sent, delivered, shown, said, ring } = kept ?? {};
    if (![sent, delivered, shown, said].every(isCount) || delivered > sent || said > shown) return null;
    if (!Array.isArray(ring) || ring.length > sent) return null;
    for (const [data, size] of ring) {
      ledger.#ring.push({ data: typeof data === 'string' ? data : read(data.binary), size });
      ledger.#bytes += size;
    }
    ledger.#sent = sent;
    ledger.#delivered = delivered;
    ledger.#shown = shown;
    ledger.#said = said;
    return ledger;
  }
}

function isCount(n) { return Number.isSafeInteger(n) && n >= 0; }
