import type { Engine } from '../../engine/engine.js';
import { resolveHome } from '../../home/home.js';
import { EngineError } from '../../protocol/errors.js';
import type { StartSettings } from '../settings/settings.js';
import { paint } from './output.js';
import type { Progress } from './progress.js';

const SHOW_WITHIN = 10_000;

/** Once connected, says who this machine is over there and what to type next. */
export async function introduce(engine: Engine, settings: StartSettings, progress: Progress): Promise<void> {
  const connected = await until(engine, SHOW_WITHIN);
  if (!connected) return;
  progress.settle();
  const { remoteControl, home } = engine.fullStatus;
  const bold = paint(process.stdout);
  const lines = [
    '',
    `  This machine   ${bold(1, remoteControl.serverName)}`,
    `  Environment    ${remoteControl.environmentId}`,
    `  Installation   ${remoteControl.installationId}`,
    `  Backend        ${remoteControl.baseUrl}`,
    `  Home           ${home}`,
    '',
  ];
  const self = selfCommand();
  // The other terminal has neither this one's flags nor its environment.
  const ofHome = home === resolveHome(undefined, {}) ? '' : ` --home ${quote(home)}`;
  const code = settings.baseUrl === 'embedded' ? await pairingCode(engine) : undefined;
  if (code !== undefined) {
    const command = `${self} call --base-url ${remoteControl.baseUrl} --code ${code} engine/status/read`;
    lines.push(
      '  Talk to it as a remote client would, from another terminal:',
      '',
      `    ${bold(36, command)}`,
      '',
      '  The code works once, for ten minutes.',
    );
  }
  lines.push(
    `  Pair a controller:   ${self} pair${ofHome}`,
    `  See how it goes:     ${self} status${ofHome}`,
  );
  lines.push('  Ctrl-C ends it.', '', '');
  process.stdout.write(lines.join('\n'));
}

/** Undefined when there is none to be had now: the engine stops, or the link was lost again. */
async function pairingCode(engine: Engine): Promise<string | undefined> {
  try {
    const { pairingCode, manualPairingCode } = await engine.pair({ manualCode: true });
    return manualPairingCode ?? pairingCode;
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}

/** How this program was called, so that the command can be pasted. */
function selfCommand(): string {
  const [, script] = process.argv;
  return script === undefined || !script.endsWith('.js') ? 'rc-engine' : `node ${quote(script)}`;
}

const quote = (text: string): string =>
  /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

function until(engine: Engine, limit: number): Promise<boolean> {
  if (engine.status.status === 'connected') return Promise.resolve(true);
  return new Promise((resolve) => {
    const done = (value: boolean) => {
      clearTimeout(timer);
      engine.off('report', look);
      resolve(value);
    };
    const look = () => {
      if (engine.status.status === 'connected') done(true);
    };
    const timer = setTimeout(() => done(false), limit);
    engine.on('report', look);
    engine.once('stopped', () => done(false));
  });
}
