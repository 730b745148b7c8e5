import type { linkMachine } from '../../../machines/link.js';
import { DEFAULT_TIMING } from '../../protocol/timing.js';
import type { Variant } from './model.js';

export function linkModel(): Variant<typeof linkMachine>[] {
  return [
    {
      name: 'an open socket',
      options: {
        input: { socket: 1, timing: DEFAULT_TIMING },
        key: ({ context }) => `${context.stable}`,
        events: [
          { type: 'PONG' },
          { type: 'FRAMES' },
          { type: 'PROBE' },
          { type: 'CLOSE' },
          { type: 'SOCKET.CLOSED', clean: true, code: 1012 },
          { type: 'SOCKET.CLOSED', clean: false, code: null },
        ],
        // The socket's actor reports by events; it has no end of its own.
        outcomes: { socket: [] },
      },
    },
  ];
}
