/** Planted faults of messages on their way. */
import type { Planted } from './planted.js';

const MUX = 'src/remote-control/clients/mux.ts';
const OUTBOUND = 'src/protocol/outbound.ts';
const STREAMS = 'src/protocol/outbound-streams.ts';
const FLOW = 'src/session/message-flow.ts';

export const MESSAGE_FAULTS: readonly Planted[] = [
  {
    name: 'ack-before-delivery',
    what: 'the cursor passes a frame that was not delivered yet',
    patches: [
      {
        file: MUX,
        find: 'if (this.#dispatch(frame, text, bytes.length) && frame.cursor !== undefined) this.#cursor = frame.cursor;',
        replace:
          'if (frame.cursor !== undefined) this.#cursor = frame.cursor;\n    this.#dispatch(frame, text, bytes.length);',
      },
    ],
  },
  {
    name: 'repeated-frames-delivered',
    what: 'a frame that is sent again is delivered again',
    patches: [
      { file: MUX, find: 'if (seqId !== undefined && seqId <= client.lastSeqId) return false;', replace: '' },
      {
        file: MUX,
        find: ' && frame.cursor !== undefined) this.#cursor = frame.cursor;',
        replace: ' && frame.cursor !== undefined && this.#cursor === undefined) this.#cursor = frame.cursor;',
      },
    ],
  },
  {
    name: 'no-replay',
    what: 'frames that were not acknowledged are not sent again after a reconnect',
    patches: [
      { file: STREAMS, find: 'if (again.length > 0) this.#backlog.set(key, [...again]);', replace: '' },
    ],
  },
  {
    name: 'replay-in-wrong-order',
    what: 'frames are sent again in the reverse order',
    patches: [
      {
        file: STREAMS,
        find: 'if (again.length > 0) this.#backlog.set(key, [...again]);',
        replace: 'if (again.length > 0) this.#backlog.set(key, [...again].reverse());',
      },
    ],
  },
  {
    name: 'ack-frees-too-much',
    what: 'an acknowledgment of one frame frees the next one, too',
    patches: [
      { file: OUTBOUND, find: 'this.#sent.splice(0, freed);', replace: 'this.#sent.splice(0, freed + 1);' },
    ],
  },
  {
    name: 'ack-does-not-resume',
    what: 'a full stream does not continue after an acknowledgment',
    patches: [
      {
        file: OUTBOUND,
        find: 'return this.#partial === undefined ? this.more() : NOTHING;',
        replace: 'return NOTHING;',
      },
      {
        file: STREAMS,
        find: '    if (stream.hasMore) {\n      this.#ready.add(key);\n      this.feed();\n    } else if',
        replace: '    if',
      },
    ],
  },
  {
    name: 'chunks-of-new-link-start-over',
    what: 'a partial message is forgotten when the link is lost',
    patches: [
      {
        file: STREAMS,
        find: '    this.#socket = undefined;\n    this.#backlog.clear();',
        replace:
          '    this.#socket = undefined;\n    this.#ready.clear();\n    this.#streams.forEach((stream) => stream.replay());\n    this.#backlog.clear();',
      },
      {
        file: STREAMS,
        find: 'if (stream.hasMore) this.#ready.add(key);\n    }\n    this.feed();',
        replace: '}\n    this.feed();',
      },
    ],
  },
  {
    name: 'queue-takes-the-newest',
    what: 'messages that waited for the app server are sent in the reverse order',
    patches: [
      {
        file: 'src/session/message-queue.ts',
        find: 'const message = this.#messages.shift();',
        replace: 'const message = this.#messages.pop();',
      },
    ],
  },
  {
    name: 'queue-dropped-at-open',
    what: 'messages that arrive while the app server opens are dropped',
    patches: [
      {
        file: FLOW,
        find: '    if (!this.queue.push(message)) return false;',
        replace:
          "    if (shape.kind === 'notification') return true;\n    if (!this.queue.push(message)) return false;",
      },
    ],
  },
  {
    name: 'queue-without-bound',
    what: 'any number of requests may wait for an app server that does not answer',
    patches: [
      {
        file: FLOW,
        find: "shape.kind === 'request' && this.queue.hasMaxRequests && !this.is('slow')",
        replace: 'false as boolean',
      },
    ],
  },
  {
    name: 'no-error-at-the-end',
    what: 'when the app server ends, its clients are not informed',
    patches: [
      {
        file: 'src/remote-control/clients/virtual-client.ts',
        find: "this.#actor.send({ type: 'APP_SERVER.CLOSED', failure });",
        replace: 'void failure;',
      },
    ],
  },
  {
    name: 'answer-lost-when-paused',
    what: 'an answer that arrives while the client reads slowly is dropped',
    patches: [
      {
        file: 'src/remote-control/clients/virtual-clients.ts',
        find: "if (result === 'full') this.#clients.get(key)?.session.pause();",
        replace: "if (result === 'full') this.#outbound.dropEnded();",
      },
      {
        file: OUTBOUND,
        find: '      this.#queue.push({ text: messageText, chunks });\n      this.#queuedChars = queued;',
        replace:
          '      if (this.#queue.length < 2) this.#queue.push({ text: messageText, chunks });\n      this.#queuedChars = queued;',
      },
    ],
  },
];
