import type { Engine } from '../../engine/engine.js';
import { resolveHome } from '../../home/home.js';
import { EngineError } from '../../protocol/errors.js';
import type { StartSettings } from '../settings/start-settings.js';
import type { Progress } from './progress.js';
import { stdout, type Text, text } from './terminal.js';
import { COLOURS } from './text.js';

/** Without a connection by then the banner is not shown. In ms. */
const CONNECT_TIMEOUT = 10_000;

/** Once connected, prints the identity of this machine and the commands that a person needs next. */
export async function printConnectedBanner(
  engine: Engine,
  settings: StartSettings,
  progress: Progress,
): Promise<void> {
  const connected = await untilConnected(engine, CONNECT_TIMEOUT);
  if (!connected) return;
  progress.finishLine();
  const { remoteControl, home } = engine.fullStatus;
  const { paint } = stdout;
  const lines: (string | Text)[] = [
    '',
    text`  This machine   ${paint(COLOURS.bold, remoteControl.serverName)}`,
    `  Environment    ${remoteControl.environmentId}`,
    `  Installation   ${remoteControl.installationId}`,
    `  Backend        ${remoteControl.baseUrl}`,
    `  Home           ${home}`,
    '',
  ];
  const program = programCommand();
  // Another terminal has neither the flags nor the environment of this one.
  const homeFlag = home === resolveHome(undefined, {}) ? '' : ` --home ${shellQuote(home)}`;
  const code = settings.baseUrl === 'embedded' ? await pairingCode(engine) : undefined;
  if (code !== undefined) {
    // As a variable: other programs can read the arguments of a process.
    const command = `RC_ENGINE_PAIRING_CODE=${shellQuote(code)} ${program} call --base-url ${remoteControl.baseUrl} engine/status/read`;
    lines.push(
      '  To control it as a controller does, run this in another terminal:',
      '',
      text`    ${paint(COLOURS.cyan, command)}`,
      '',
      '  The pairing code works once, for ten minutes.',
    );
  }
  lines.push(
    `  Pair a controller:   ${program} pair${homeFlag}`,
    `  Show the status:     ${program} status${homeFlag}`,
    '  Press Ctrl-C to stop.',
    '',
  );
  stdout.print(...lines);
}

/** Undefined when the backend gives none now: the engine stops, or the link was lost again. */
async function pairingCode(engine: Engine): Promise<string | undefined> {
  try {
    const { pairingCode, manualPairingCode } = await engine.pair({ manualCode: true });
    return manualPairingCode ?? pairingCode;
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}

/** How this program was called, so that a printed command can be pasted. */
function programCommand(): string {
  const [, script] = process.argv;
  return script === undefined || !script.endsWith('.js') ? 'rc-engine' : `node ${shellQuote(script)}`;
}

const shellQuote = (text: string): string =>
  /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

function untilConnected(engine: Engine, timeoutMs: number): Promise<boolean> {
  if (engine.status.status === 'connected') return Promise.resolve(true);
  return new Promise((resolve) => {
    const finish = (connected: boolean) => {
      clearTimeout(timer);
      engine.off('report', onReport);
      resolve(connected);
    };
    const onReport = () => {
      if (engine.status.status === 'connected') finish(true);
    };
    const timer = setTimeout(() => finish(false), timeoutMs);
    engine.on('report', onReport);
    engine.once('stopped', () => finish(false));
  });
}
