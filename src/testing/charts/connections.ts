/**
 * Models of the charts of one client or connection: `link`, `virtualClient`, `clientSession`, `listenerConnection` and
 * `stdioConnection`.
 */
import type { clientSessionMachine } from '../../../machines/client-session.js';
import type { linkMachine } from '../../../machines/link.js';
import type { listenerConnectionMachine } from '../../../machines/listener-connection.js';
import type { stdioConnectionMachine } from '../../../machines/stdio-connection.js';
import type { virtualClientMachine } from '../../../machines/virtual-client.js';
import { DEFAULT_TIMING } from '../../protocol/timing.js';
import { failure, SimulatedEnv, type Variant } from './model.js';

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
          { type: 'SOCKET.CLOSED', clean: true, code: 1012, fault: null },
          { type: 'SOCKET.CLOSED', clean: true, code: 1000, fault: null, replaced: true },
          { type: 'SOCKET.CLOSED', clean: false, code: null, fault: null },
          { type: 'SOCKET.CLOSED', clean: false, code: 1006, fault: 'frameTooLarge' },
        ],
        // The actor of the socket reports by events and never ends.
        outcomes: { socket: [] },
      },
    },
  ];
}

export function virtualClientModel(): Variant<typeof virtualClientMachine>[] {
  const env = new SimulatedEnv();
  return [
    {
      name: 'initialize arrived',
      options: {
        input: { env, clientId: 'c', streamId: 's' },
        setTime: env.setTime,
        key: ({ context }) => context.decision.reason,
        events: [
          { type: 'CLOSE', reason: 'clientClosed' },
          { type: 'IDLE' },
          { type: 'CLOSE', reason: 'appServerFailed', detail: 'no answer in time' },
          { type: 'APP_SERVER.CLOSED', failure: null },
          { type: 'APP_SERVER.CLOSED', failure: failure('appServerFailed') },
        ],
      },
    },
  ];
}

export function clientSessionModel(): Variant<typeof clientSessionMachine>[] {
  // The context never changes and no event has a payload.
  const limits = ['socket', 'relay', 'stdio', 'stream'] as const;
  const names = {
    socket: 'a client connects to the listener',
    relay: 'a client connects to rc-engine connect',
    stdio: 'a client over stdio',
    stream: 'a controller opens a stream',
  };
  return limits.map((transport) => ({
    name: names[transport],
    options: { input: { transport, timing: DEFAULT_TIMING }, key: () => '' },
  }));
}

export function listenerConnectionModel(): Variant<typeof listenerConnectionMachine>[] {
  // The context never changes and no event has a payload.
  return [{ name: 'an upgrade arrived', options: { input: { timing: DEFAULT_TIMING }, key: () => '' } }];
}

export function stdioConnectionModel(): Variant<typeof stdioConnectionMachine>[] {
  // The context never changes and no event has a payload.
  return [{ name: 'a client over stdio', options: { input: { timing: DEFAULT_TIMING }, key: () => '' } }];
}
