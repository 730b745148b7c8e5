/** The open link of a program under test, with its virtual clients. It acknowledges every message of the program. */
import { FIRST_NUMBER, readServerFrame, StreamFrames } from './frames.mjs';

const INITIALIZE =
  '"method":"initialize","params":{"clientInfo":{"name":"bench","title":"Bench","version":"1.0.0"},' +
  '"capabilities":{"experimentalApi":true}}';
const OPEN_TIMEOUT = 60_000;
/** Time between two checks for virtual clients to replace, ms. */
const REPLACE_TICK = 5;

/** One virtual client. */
class Stream {
  nextSeq = FIRST_NUMBER;
  constructor(index) {
    this.frames = new StreamFrames(index);
  }
}

export class Link {
  /** By the number in their ids. */
  #streams = new Map();
  #lastIndex = 0;
  /**
   * Set during a run. Called with the stream and the id of each response (-1: it came in chunks) after its ack was
   * queued, and with the frame, which is valid only during the call.
   */
  onAnswer = () => {};
  /** The chunks of incomplete responses. */
  onChunk = () => {};
  /** Responses that say only that too many requests are queued. */
  overloaded = 0;

  constructor(wire, onClosed) {
    this.wire = wire;
    wire.onFrame = (data) => this.#take(data);
    wire.onClose = onClosed;
  }

  get streams() {
    return [...this.#streams.values()];
  }

  /** Opens virtual clients, at most `window` at a time. Resolves with them once all are initialized. */
  open(count, window) {
    const opening = [];
    let asked = 0;
    let answered = 0;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${answered} of ${count} virtual clients opened`)),
        OPEN_TIMEOUT,
      );
      const ask = () => {
        asked += 1;
        opening.push(this.#ask());
      };
      this.onAnswer = (stream, id, data) => {
        if (id < FIRST_NUMBER) return;
        if (data.includes('"error":{')) {
          clearTimeout(timer);
          reject(new Error(`initialize was refused: ${data.latin1Slice(0, 300)}`));
          return;
        }
        answered += 1;
        this.#sayInitialized(stream);
        if (asked < count) ask();
        if (answered < count) return;
        clearTimeout(timer);
        this.onAnswer = () => {};
        resolve(opening);
      };
      while (asked < Math.min(window, count)) ask();
    });
  }

  /** Replaces the oldest virtual clients by new ones at a given rate per second. Resolves with their number. */
  replace(perSecond, ms) {
    this.onAnswer = (stream, id) => {
      if (id >= FIRST_NUMBER) this.#sayInitialized(stream);
    };
    const began = performance.now();
    let replaced = 0;
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        const passed = Math.min(performance.now() - began, ms);
        for (const due = (passed / 1_000) * perSecond; replaced < due; replaced += 1) {
          const [index, stream] = this.#streams.entries().next().value;
          this.wire.send(stream.frames.closed());
          this.#streams.delete(index);
          this.#ask();
        }
        if (passed < ms) return;
        clearInterval(timer);
        resolve(replaced);
      }, REPLACE_TICK);
    });
  }

  #ask() {
    this.#lastIndex += 1;
    const stream = new Stream(this.#lastIndex);
    this.#streams.set(this.#lastIndex, stream);
    const seq = stream.nextSeq++;
    this.wire.send(stream.frames.message(seq, `{"id":${seq},${INITIALIZE}}`));
    return stream;
  }

  #sayInitialized(stream) {
    this.wire.send(stream.frames.message(stream.nextSeq++, '{"method":"initialized"}'));
  }

  closeStreams() {
    for (const stream of this.#streams.values()) this.wire.send(stream.frames.closed());
    this.#streams.clear();
  }

  #take(data) {
    const frame = readServerFrame(data);
    if (frame === undefined) return;
    const stream = this.#streams.get(frame.index);
    if (stream === undefined) return;
    const { seqId, segmentId, segmentCount, answer } = frame;
    if (frame.overloaded) this.overloaded += 1;
    if (segmentId < 0) {
      this.wire.send(stream.frames.ack(seqId));
      if (answer >= 0) this.onAnswer(stream, answer, data);
      return;
    }
    this.wire.send(stream.frames.ack(seqId, segmentId));
    this.onChunk(stream, data);
    if (segmentId === segmentCount - 1) this.onAnswer(stream, -1, data);
  }
}
