/**
 * One accepted WebSocket, made for load: `ws` reads, but what goes out is framed here, many frames in one write.
 * Everything sent is ASCII, so that a text and its bytes have one length.
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

/** A whole frame, ready to be written as often as wanted. */
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
  /** Called with each frame as it came, a Buffer. */
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

  /** Queues one text frame; those of one turn of the event loop leave in one write. */
  send(text) {
    this.sendRaw(frameHeader(text.length) + text);
  }

  /** The same for a text that has its header. */
  sendRaw(frame) {
    this.#text += frame;
    if (this.#due) return;
    this.#due = true;
    process.nextTick(this.#flush);
  }

  /** Writes frames that were made before. They may be changed again once the peer has answered them. */
  sendFrames(frames) {
    if (!this.open) return;
    if (this.#due) this.#flush();
    this.#socket.cork();
    for (const frame of frames) this.#socket.write(frame);
    this.#socket.uncork();
  }
}
