/** Detects that the machine slept or that its network changed, with a check every few seconds. RC-25a */
import { networkInterfaces } from 'node:os';

export type WakeCause =
  /** Wall clock and monotonic clock differ by `jumpMs`, or no check ran for that long. */
  { readonly kind: 'clock'; readonly jumpMs: number } | { readonly kind: 'network' };

interface SleepDetectorOptions {
  readonly onWake: (cause: WakeCause) => void;
  /** Time between two checks, ms. Default 2,000. */
  readonly interval?: number;
  /** Wall-clock milliseconds. Default Date.now. */
  readonly now?: () => number;
  /** Monotonic milliseconds; on most systems they stop during sleep. Default performance.now. */
  readonly monotonic?: () => number;
  /** The network interfaces. Default: those of the system. */
  readonly interfaces?: typeof networkInterfaces;
  /** Calls `check` every `ms` until the returned function is called. Default: an unreferenced timer. */
  readonly every?: (ms: number, check: () => void) => () => void;
}

export interface SleepDetector {
  close(): void;
}

/** A smaller correction of the clock is not a wake-up. Milliseconds. */
const TOLERANCE = 3_000;

export function createSleepDetector(options: SleepDetectorOptions): SleepDetector {
  const {
    onWake,
    interval = 2_000,
    now = Date.now,
    monotonic = () => performance.now(),
    interfaces = networkInterfaces,
    every = repeat,
  } = options;
  let wall = now();
  let counted = monotonic();
  let network: string | undefined;
  const stop = every(interval, () => {
    const wallStep = now() - wall;
    const countedStep = monotonic() - counted;
    wall += wallStep;
    counted += countedStep;
    const seen = digest(interfaces);
    // The first check is not made at the start, which must be fast.
    const changed = network !== undefined && seen !== undefined && seen !== network;
    network = seen ?? network;
    // Where the monotonic clock continues during sleep, the late check shows the sleep.
    const jumpMs = Math.max(Math.abs(wallStep - countedStep), countedStep - interval);
    if (jumpMs > TOLERANCE) onWake({ kind: 'clock', jumpMs });
    else if (changed) onWake({ kind: 'network' });
  });
  return { close: stop };
}

function repeat(ms: number, check: () => void): () => void {
  const timer = setInterval(check, ms);
  timer.unref();
  return () => clearInterval(timer);
}

/**
 * The addresses with which other machines are reached. Link-local ones are left out: containers and virtual machines
 * add and remove them all the time, and each change would end a pause early.
 */
function digest(interfaces: typeof networkInterfaces): string | undefined {
  try {
    return Object.entries(interfaces())
      .flatMap(([name, addresses = []]) =>
        addresses
          .filter(({ internal, address }) => !internal && !/^(?:fe[89ab][0-9a-f]:|169\.254\.)/i.test(address))
          .map(({ address }) => `${name} ${address}`),
      )
      .sort()
      .join('\n');
  } catch {
    return undefined; // Some sandboxes deny access; the clocks must be enough then.
  }
}
