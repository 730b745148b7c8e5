/** Closed loops: a fixed number of requests is in flight, and each response starts the next request. */
import { FIRST_NUMBER, needsChunks, renumber } from './frames.mjs';
import { Meter } from './meter.mjs';
import { requestsOf } from './requests.mjs';
import { frameHeader, frameOf } from './wire.mjs';

const OPEN_WINDOW = 16;
/** More than can be in flight on one stream; a power of two. */
const RING = 1024;
/** A run without a response for this long has failed, ms. */
const STALLED_MS = 20_000;

/**
 * Runs requests over a link. When fewer are in flight than there are streams, the streams take turns.
 * @param spec `{kind, size, streams, inFlight, warmupMs, measureMs, pid}`
 */
export async function runRequests(link, spec) {
  const missing = spec.streams - link.streams.length;
  if (missing > 0) await link.open(missing, OPEN_WINDOW);
  const streams = link.streams.slice(0, spec.streams);
  const { text, check } = requestsOf(spec.kind, spec.size);
  const chunked = needsChunks(text(FIRST_NUMBER));
  const sender = chunked
    ? chunkedSender(link, text, streams, spec.inFlight)
    : plainSender(link, text, streams);
  const meter = new Meter(spec, text(FIRST_NUMBER).length);
  const turns = spec.inFlight < streams.length;
  let next = 0;
  let left = spec.inFlight;
  let checked = false;
  const overloadedBefore = link.overloaded;

  return await watched((resolve, reject, alive) => {
    const parts = [];
    link.onChunk = (_, data) => {
      if (!checked) parts.push(JSON.parse(data.latin1Slice()).message_chunk_base64);
    };
    link.onAnswer = (stream, id, data) => {
      alive();
      if (!chunked && id < FIRST_NUMBER) return;
      if (!checked) {
        checked = true;
        try {
          check(chunked ? assembled(parts) : JSON.parse(data.latin1Slice()).message);
        } catch (error) {
          reject(error);
          return;
        }
      }
      if (meter.answered(sender.sentAt(stream, id))) {
        if (turns) next = (next + 1) % streams.length;
        sender.send(turns ? streams[next] : stream);
        return;
      }
      left -= 1;
      if (left === spec.inFlight - 1) spec.result = meter.result();
      if (left > 0) return;
      link.onAnswer = () => {};
      link.onChunk = () => {};
      if (link.overloaded > overloadedBefore) reject(new Error('requests were refused as too many'));
      else resolve(spec.result);
    };
    for (let i = 0; i < spec.inFlight; i += 1) {
      next = i % streams.length;
      sender.send(streams[next]);
    }
  });
}

/** Runs bare messages over a pipe to an echo. @param spec `{size, inFlight, warmupMs, measureMs, pid}` */
export function runPipe(wire, spec) {
  const body = 'x'.repeat(spec.size);
  const large = needsChunks(body);
  const frame = large ? frameOf(body) : frameHeader(body.length) + body;
  const meter = new Meter(spec, spec.size);
  const sentAt = [];
  let left = spec.inFlight;
  return watched((resolve, reject, alive) => {
    const send = () => {
      sentAt.push(performance.now());
      if (large) wire.sendFrames([frame]);
      else wire.sendRaw(frame);
    };
    wire.onFrame = (data) => {
      alive();
      if (data.length !== spec.size) return reject(new Error('the echo has another size'));
      // Messages of one socket stay in order.
      if (meter.answered(sentAt.shift())) return send();
      left -= 1;
      if (left === spec.inFlight - 1) spec.result = meter.result();
      if (left === 0) resolve(spec.result);
    };
    for (let i = 0; i < spec.inFlight; i += 1) send();
  });
}

/** Messages of one frame each, from strings that differ only in their numbers. */
function plainSender(link, text, streams) {
  const [before, after] = text(FIRST_NUMBER).split(String(FIRST_NUMBER));
  const times = new Map();
  for (const stream of streams) {
    stream.mid = `,"message":${before}`;
    times.set(stream, new Float64Array(RING));
  }
  const end = `${after}}`;
  const length = streams[0].frames.message(FIRST_NUMBER, text(FIRST_NUMBER)).length;
  const header = frameHeader(length);
  return {
    send(stream) {
      const number = stream.nextSeq++;
      times.get(stream)[number % RING] = performance.now();
      link.wire.sendRaw(header + stream.frames.head + number + stream.mid + number + end);
    },
    sentAt: (stream, id) => times.get(stream)[id % RING],
  };
}

/** Messages of many frames, made once for each slot in flight: only the seq ids change. */
function chunkedSender(link, text, streams, inFlight) {
  const [stream] = streams;
  if (streams.length > 1) throw new Error('chunked messages go over one stream');
  const slots = Array.from({ length: inFlight }, () => stream.frames.chunked(text(FIRST_NUMBER)));
  const sentAt = [];
  let turn = 0;
  return {
    send() {
      // Responses come in order, so the oldest slot is free.
      const frames = slots[turn % inFlight];
      turn += 1;
      renumber(frames, stream.nextSeq++);
      sentAt.push(performance.now());
      link.wire.sendFrames(frames);
    },
    sentAt: () => sentAt.shift(),
  };
}

function assembled(parts) {
  return JSON.parse(Buffer.concat(parts.map((part) => Buffer.from(part, 'base64'))).toString());
}

/** A promise that rejects when its body has not called `alive` for a while. */
function watched(body) {
  return new Promise((resolve, reject) => {
    let seen = performance.now();
    const timer = setInterval(() => {
      if (performance.now() - seen > STALLED_MS) done(reject)(new Error('no answer any more'));
    }, 1_000);
    const done = (settle) => (value) => {
      clearInterval(timer);
      settle(value);
    };
    body(done(resolve), done(reject), () => {
      seen = performance.now();
    });
  });
}
