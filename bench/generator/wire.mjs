/**
 * One accepted WebSocket for high load: `ws` reads, but outbound frames are built here, many of them in one write.
 * Everything that is sent is ASCII, so a string and its bytes have the same length.
 */

/** The header of an unmasked text frame. */
export function frameHeader(length) {
  if (length < 126) return String.fromCharCode(0x81, length);
  if (length < 65_536) return String.fromCharCode(0x81, 126, length >> 8, length & 0xff);
  const bytes = Buffer.alloc(10);
  bytes[0] = 0x81;
  bytes[1] = 127;
  bytes.writeUIntBE(length, 4, 6);
  return bytes.latin1Slice();
}

/** A complete frame that can be written repeatedly. */
export const frameOf = (text) => Buffer.from(frameHeader(text.length) + text, 'latin1');

export class Wire {
  #socket;
  #text = '';
  #due = false;
  #flush = () => {
    const text = this.#text;
    this.#text = '';
    this.#due = false;
    if (this.open) this.#socket.write(text, 'latin1');
  };
  open = true;
  bytesIn = 0;
  framesIn = 0;
  /** Called with each received frame, a Buffer. */
  onFrame = () => {};
  onClose = () => {};

  constructor(ws, socket) {
    this.ws = ws;
    this.#socket = socket;
    ws.on('message', (data) => {
      this.bytesIn += data.length;
      this.framesIn += 1;
      this.onFrame(data);
    });
    ws.on('error', () => {});
    ws.on('close', (code) => {
      this.open = false;
      this.onClose(code);
    });
  }

  /** Queues one text frame. The frames of one turn of the event loop are written at once. */
  send(text) {
    this.sendRaw(frameHeader(text.length) + text);
  }

  /** The same for a string that has its header already. */
  sendRaw(frame) {
    this.#text += frame;
    if (this.#due) return;
    this.#due = true;
    process.nextTick(this.#flush);
  }

  /** Writes prepared frames. They may be changed once the peer has responded to them. */
  sendFrames(frames) {
    if (!this.open) return;
    if (this.#due) this.#flush();
    this.#socket.cork();
    for (const frame of frames) this.#socket.write(frame);
    this.#socket.uncork();
  }
}
