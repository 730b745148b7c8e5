import { readFileSync } from 'node:fs';
import { EngineError } from '../protocol/errors.js';

/** An engine without clients has about 34 open files. With fewer, parts of it cannot even say what is wrong. */
const NEEDED = 48;

/** @throws EngineError `systemRefused` when this process may open too few files. Linux only: others do not tell. */
export function checkOpenFileLimit(): void {
  if (process.platform !== 'linux') return;
  let limits: string;
  try {
    limits = readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return; // Some containers hide it.
  }
  const limit = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  if (limit >= NEEDED) return;
  throw new EngineError(
    'systemRefused',
    `This process may have ${limit} open files at most, and an engine needs at least ${NEEDED}.`,
    { remediation: 'Raise the limit of open files: ulimit -n 1024 (LimitNOFILE= in a systemd unit).' },
  );
}
