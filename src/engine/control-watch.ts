/** Puts the control socket and `engine.json` back when they were deleted under the running engine. RC-100 */
import { socketIdentity } from '../home/control-socket.js';
import type { EngineLogger } from '../observe/logger.js';
import type { ControlServer } from '../session/control-server.js';
import { errnoText } from '../system/errno.js';
import type { HomeLock } from './home-lock.js';

/** Between two checks, ms. */
const INTERVAL = 1_000;

interface ControlWatchDeps {
  readonly server: ControlServer;
  readonly lock: HomeLock;
  readonly log: EngineLogger;
}

export interface ControlWatch {
  /** Resolves when nothing is made any more. */
  close(): Promise<void>;
}

export function watchControl({ server, lock, log }: ControlWatchDeps): ControlWatch {
  let identity = socketIdentity(server.path);
  let running: Promise<void> | undefined;
  let problem = '';
  const check = async (): Promise<void> => {
    let gone = false;
    try {
      if (!(await lock.restore())) {
        throw new Error(
          'another engine runs on this home directory: its engine.lock was deleted; stop one of them',
        );
      }
      if (identity === null || socketIdentity(server.path) !== identity) {
        identity = null;
        gone = true;
        await server.reopen();
        identity = socketIdentity(server.path);
        log.warn({ controlSocket: server.path }, 'the control socket was gone and has been made again');
      }
      problem = '';
    } catch (error) {
      const why = errnoText(error);
      // It is tried again at each check, and logged once.
      const what = gone ? 'the control socket is gone' : 'the lock of the home cannot be checked';
      if (why !== problem) log.error({ controlSocket: server.path }, `${what}: ${why}`);
      problem = why;
    }
  };
  const timer = setInterval(() => {
    running ??= check().finally(() => {
      running = undefined;
    });
  }, INTERVAL);
  timer.unref();
  return {
    close: async () => {
      clearInterval(timer);
      await running;
    },
  };
}
