/** Stops the engine of a home and waits until it has ended. RC-121 */
import { setTimeout as delay } from 'node:timers/promises';
import { checkHome, type Home, locateHome, resolveHome } from '../home/home.js';
import { findEngine, type RunningEngine } from '../home/running-engine.js';
import { EngineError } from '../protocol/errors.js';
import { connectToEngine } from './control-client.js';
import { notRunning } from './engine-errors.js';

/** In ms. */
const POLL_INTERVAL = 50;
/** How long the process may take to end after it released its home: its last output, for example. */
const PROCESS_END = 3_000;

/** The engine that runs. @throws EngineError `notRunning` */
export async function runningEngine(
  homeDir: string | undefined,
): Promise<{ readonly home: Home; readonly engine: RunningEngine }> {
  const home = locateHome(resolveHome(homeDir));
  checkHome(home.dir);
  const engine = await findEngine(home);
  if (engine === undefined) throw notRunning(home.dir);
  return { home, engine };
}

/**
 * Requests the stop through the control socket; an engine that does not answer there gets SIGTERM.
 * @throws EngineError `notRunning`, `timeout`
 */
export async function stopEngine(homeDir: string | undefined, timeoutMs: number): Promise<RunningEngine> {
  const { home, engine } = await runningEngine(homeDir);
  const deadline = performance.now() + timeoutMs;
  try {
    const client = await connectToEngine(homeDir, timeoutMs);
    await client.request('engine/stop', {}, timeoutMs).finally(() => client.close());
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    // It has just ended, or it ends and closed the connection before the response arrived.
    if (error.code !== 'notRunning') terminate(engine, error);
  }
  while ((await findEngine(home)) !== undefined) {
    if (performance.now() >= deadline) throw notEnded(engine, timeoutMs);
    await delay(POLL_INTERVAL);
  }
  const { pid } = engine;
  const limit = Math.min(deadline, performance.now() + PROCESS_END);
  while (pid !== null && isAlive(pid) && performance.now() < limit) await delay(POLL_INTERVAL);
  return engine;
}

/** `findEngine` has compared more than the pid, so this is the engine. */
function terminate({ pid }: RunningEngine, cause: EngineError): void {
  if (pid === null) throw cause;
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    throw cause;
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function notEnded({ pid }: RunningEngine, timeoutMs: number): EngineError {
  const who = pid === null ? 'The engine' : `The engine with pid ${pid}`;
  return new EngineError('timeout', `${who} did not end within ${timeoutMs / 1000} s.`, {
    remediation:
      pid === null
        ? 'Wait longer with --timeout.'
        : `Wait longer with --timeout, or end it at once with: kill -9 ${pid}`,
  });
}
