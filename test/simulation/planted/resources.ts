/** Planted faults of locks, sockets, timers, secrets and the stored sign-in. */
import type { Planted } from './planted.js';

const TOKENS = 'src/account/token-change.ts';
const LIFE = 'src/engine/engine-life.ts';

export const RESOURCE_FAULTS: readonly Planted[] = [
  {
    name: 'lock-kept-after-error',
    what: 'a lock is released after success only',
    patches: [
      {
        file: 'src/system/file-lock.ts',
        find: '    return { value: await task() };\n  } finally {\n    for (const lock of taken.reverse()) await lock.release();\n  }',
        replace:
          '    const value = await task();\n    for (const lock of taken.reverse()) await lock.release();\n    return { value };\n  } finally {\n    taken.length = 0;\n  }',
      },
    ],
  },
  {
    name: 'refresh-lock-kept',
    what: 'the lock of a refresh is kept when the issuer fails',
    patches: [
      {
        file: TOKENS,
        find: '    await this.#lock?.release();',
        replace:
          "    if (this.#prepared === undefined && this.#beforeText !== '') await this.#lock?.release();",
      },
      {
        file: TOKENS,
        find: '    await this.#takePrepared()\n      ?.discard()',
        replace: '    await this.#prepared\n      ?.discard()',
      },
    ],
  },
  {
    name: 'mutex-kept-after-error',
    what: 'the lock that connecting and pairing share is kept after an abort',
    patches: [
      {
        file: 'src/system/mutex.ts',
        find: '      return await task();\n    } finally {\n      release();\n    }',
        replace:
          '      const value = await task();\n      release();\n      return value;\n    } finally {\n    }',
      },
    ],
  },
  {
    name: 'home-lock-kept',
    what: 'a stop does not release the home',
    patches: [
      {
        file: LIFE,
        find: '    await this.#lock?.release().catch(',
        replace: '    await Promise.resolve().catch(',
      },
    ],
  },
  {
    name: 'timer-after-stop',
    what: 'the sleep detector runs after the stop',
    patches: [{ file: LIFE, find: '    running.wake.close();', replace: '' }],
  },
  {
    name: 'listener-after-stop',
    what: 'local sockets stay open after the stop',
    patches: [{ file: LIFE, find: '    await running.local.close();', replace: '' }],
  },
  {
    name: 'watch-after-stop',
    what: 'the account file is watched after the stop',
    patches: [{ file: LIFE, find: '    running.account.close();', replace: '' }],
  },
  {
    name: 'stop-waits-for-silent-peer',
    what: 'a stop waits for the close frame of a backend that is silent',
    patches: [
      {
        file: 'src/remote-control/link/socket.ts',
        find: 'const timer = setTimeout(() => this.#ws.terminate(), limitMs);',
        replace: 'const timer = setTimeout(() => this.#ws.terminate(), limitMs * 100);',
      },
    ],
  },
  {
    name: 'issued-tokens-not-saved',
    what: 'tokens that the issuer has issued stay in memory',
    patches: [
      {
        file: TOKENS,
        find: '    await this.#deps.unsaved.save(NEVER, this.#takePrepared());',
        replace: '',
      },
    ],
  },
  {
    name: 'refreshes-other-generation',
    what: 'a refresh does not read the account file first',
    patches: [
      {
        file: TOKENS,
        find: "if (current !== undefined && !isSame(before, current)) return { kind: 'reloaded', stored };",
        replace: '',
      },
    ],
  },
  {
    name: 'token-in-the-log',
    what: 'a server token is logged with the connection',
    patches: [
      {
        file: 'src/remote-control/service.ts',
        find: "    if (outcome.kind === 'granted') this.#deps.account.succeeded();",
        replace:
          "    if (outcome.kind === 'granted') {\n      this.#deps.account.succeeded();\n      console.log(outcome.token.secret.reveal());\n    }",
      },
    ],
  },
  {
    name: 'token-on-disk',
    what: 'the server token is stored with the identity',
    patches: [
      {
        file: 'src/remote-control/service.ts',
        find: ': store.save(input.key, input.enrollment, input.preference),',
        replace:
          ': store.save(\n                input.key,\n                { ...input.enrollment, serverName: input.enrollment.serverName + lastToken },\n                input.preference,\n              ),',
      },
      {
        file: 'src/remote-control/service.ts',
        find: "    if (outcome.kind === 'granted') this.#deps.account.succeeded();",
        replace:
          "    if (outcome.kind === 'granted') {\n      this.#deps.account.succeeded();\n      lastToken = outcome.token.secret.reveal();\n    }",
      },
      {
        file: 'src/remote-control/service.ts',
        find: 'export class RemoteControlService',
        replace: "let lastToken = '';\nexport class RemoteControlService",
      },
    ],
  },
];
