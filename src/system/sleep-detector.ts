/** Notices that the machine slept or that its network changed, from a look each few seconds. RC-25a */
import { networkInterfaces } from 'node:os';

export type WakeCause =
  /** The clock on the wall and the one that counts time disagree by `jumpMs`, or nothing ran for so long. */
  { readonly kind: 'clock'; readonly jumpMs: number } | { readonly kind: 'network' };

export interface SleepDetectorOptions {
  readonly onWake: (cause: WakeCause) => void;
  /** Between two looks, ms. Default 2,000. */
  readonly interval?: number;
  /** Wall-clock milliseconds. Default Date.now. */
  readonly now?: () => number;
  /** Milliseconds that only ever grow, and on most systems stand still during sleep. */
  readonly monotonic?: () => number;
  /** The network interfaces. Default: those of the system. */
  readonly interfaces?: typeof networkInterfaces;
  /** Calls `look` each `ms` until the returned function is called. Default: a timer that keeps no process alive. */
  readonly every?: (ms: number, look: () => void) => () => void;
}

export interface SleepDetector {
  close(): void;
}

/** A clock that is set right by less is no wake-up. */
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
    // The first look is not taken at start, which has other things to do.
    const changed = network !== undefined && seen !== undefined && seen !== network;
    network = seen ?? network;
    // Where the counting clock runs on during sleep, the late look gives it away.
    const jumpMs = Math.max(Math.abs(wallStep - countedStep), countedStep - interval);
    if (jumpMs > TOLERANCE) onWake({ kind: 'clock', jumpMs });
    else if (changed) onWake({ kind: 'network' });
  });
  return { close: stop };
}

function repeat(ms: number, look: () => void): () => void {
  const timer = setInterval(look, ms);
  timer.unref();
  return () => clearInterval(timer);
}

/**
 * Addresses by which others are reached. Link-local ones are left out: containers and virtual machines bring
 * and take them all the time, and each would cut a pause short.
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
    return undefined; // Some sandboxes refuse to tell; then the clocks have to do.
  }
}
