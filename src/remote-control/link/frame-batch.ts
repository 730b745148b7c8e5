/** Text frames of a WebSocket client (RFC 6455 section 5), laid out one behind the other for a single write. */
import { randomFillSync } from 'node:crypto';

const BLOCK_BYTES = 64 * 1024;
/** A frame from this size on gets a block of its own, so that little of the others is left unused. */
const LARGE_FRAME = 16 * 1024;
const FIN_TEXT = 0x81;
const MASKED = 0x80;

/** Masks have to be unpredictable; fetching the randomness for many at a time makes that cheap. */
const randomness = new Uint8Array(8 * 1024);
let randomAt = randomness.length;

/** Bytes that frames are written into, and the same bytes as words: masking by words takes half the time. */
class Block {
  readonly bytes: Buffer;
  readonly #words: Int32Array;

  constructor(size: number) {
    // Not from Node's pool: a block begins on a word.
    this.bytes = Buffer.allocUnsafeSlow((size + 3) & ~3);
    this.#words = new Int32Array(this.bytes.buffer);
  }

  /** Masks `length` bytes from `at` on with the four bytes before them. */
  mask(at: number, length: number): void {
    const { bytes } = this;
    const words = this.#words;
    const end = at + length;
    const firstWord = Math.min((at + 3) & ~3, end);
    const lastWord = Math.max(end & ~3, firstWord);
    for (let i = at; i < firstWord; i += 1)
      bytes[i] = byteAt(bytes, i) ^ byteAt(bytes, at - 4 + ((i - at) & 3));
    // The mask as the words see it: which of its bytes meets the first byte of a word.
    const key = (n: number) => byteAt(bytes, at - 4 + ((firstWord - at + n) & 3));
    KEY_BYTES[0] = key(0);
    KEY_BYTES[1] = key(1);
    KEY_BYTES[2] = key(2);
    KEY_BYTES[3] = key(3);
    const keyWord = KEY_WORD[0] ?? 0;
    for (let i = firstWord >> 2; i < lastWord >> 2; i += 1) words[i] = (words[i] ?? 0) ^ keyWord;
    for (let i = lastWord; i < end; i += 1)
      bytes[i] = byteAt(bytes, i) ^ byteAt(bytes, at - 4 + ((i - at) & 3));
  }
}
const KEY_BYTES = new Uint8Array(4);
/** In the byte order of this machine, as the words of a block are. */
const KEY_WORD = new Int32Array(KEY_BYTES.buffer);
const byteAt = (bytes: Uint8Array, i: number): number => bytes[i] ?? 0;

export class FrameBatch {
  #full: Buffer[] = [];
  #block: Block | undefined;
  /** Where the frames that were not taken yet begin in the block, and where the next one goes. */
  #from = 0;
  #at = 0;
  #size = 0;

  /** Bytes that were added and not taken yet. */
  get size(): number {
    return this.#size;
  }

  /** Adds one frame that holds this text, or the bytes of one. */
  add(text: string | Buffer): void {
    const length = typeof text === 'string' ? Buffer.byteLength(text) : text.length;
    const header = length < 126 ? 6 : length < 65_536 ? 8 : 14;
    const block = this.#roomFor(header + length);
    const { bytes } = block;
    const start = this.#at;
    const payload = start + header;
    bytes[start] = FIN_TEXT;
    if (header === 6) bytes[start + 1] = MASKED | length;
    else if (header === 8) {
      bytes[start + 1] = MASKED | 126;
      bytes.writeUInt16BE(length, start + 2);
    } else {
      bytes[start + 1] = MASKED | 127;
      bytes.writeUInt16BE(0, start + 2);
      bytes.writeUIntBE(length, start + 4, 6);
    }
    if (randomAt === randomness.length) {
      randomFillSync(randomness);
      randomAt = 0;
    }
    for (let i = payload - 4; i < payload; i += 1) {
      bytes[i] = byteAt(randomness, randomAt);
      randomAt += 1;
    }
    if (typeof text === 'string') bytes.write(text, payload, length, 'utf8');
    else text.copy(bytes, payload);
    block.mask(payload, length);
    this.#at = payload + length;
    this.#size += header + length;
  }

  /** All that was added, to be written in this order. */
  take(): readonly Buffer[] {
    this.#closeRun();
    const all = this.#full;
    this.#full = [];
    this.#size = 0;
    return all;
  }

  #roomFor(bytes: number): Block {
    if (this.#block !== undefined && this.#at + bytes <= this.#block.bytes.length) return this.#block;
    this.#closeRun();
    this.#block = new Block(bytes < LARGE_FRAME ? BLOCK_BYTES : bytes);
    this.#from = 0;
    this.#at = 0;
    return this.#block;
  }

  /** What was written into the block since the last take is one piece; the rest of the block is for later. */
  #closeRun(): void {
    if (this.#block === undefined || this.#at === this.#from) return;
    this.#full.push(this.#block.bytes.subarray(this.#from, this.#at));
    this.#from = this.#at;
  }
}
