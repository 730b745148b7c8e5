/** Makes the code of simulated processes from the bundled scripts. */
import vm from 'node:vm';
import type * as EngineCode from './guests/engine.js';
import type * as PeerCode from './guests/peer.js';
import type { Guest } from './modules/modules.js';

/** The scripts of the two kinds of processes. */
export interface Scripts {
  readonly engine: string;
  readonly peer: string;
}

/** Evaluates the code of one process. */
export interface Code {
  readonly engine: (guest: Guest) => typeof EngineCode;
  readonly peer: (guest: Guest) => typeof PeerCode;
}

/** The parameters of a script, in this order. */
export const GLOBALS = [
  ...['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate'],
  ...['Date', 'Math', 'performance', 'process', 'AbortSignal', 'console', 'fetch'],
] as const satisfies readonly (keyof Guest['globals'])[];

/** Compiles the scripts once, for any number of processes. */
export function compile(scripts: Scripts): Code {
  return {
    engine: compileOne<typeof EngineCode>(scripts.engine, 'engine.js'),
    peer: compileOne<typeof PeerCode>(scripts.peer, 'peer.js'),
  };
}

function compileOne<T>(script: string, filename: string): (guest: Guest) => T {
  const main: unknown = new vm.Script(script, { filename }).runInThisContext();
  if (typeof main !== 'function') throw new Error('the bundle is not a function');
  return ({ require, globals }) => {
    const module = { exports: {} };
    main(require, module, module.exports, ...GLOBALS.map((name) => globals[name]));
    return module.exports as T;
  };
}
