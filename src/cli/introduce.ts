import type { Engine } from '../engine/engine.js';
import { paint } from './output.js';
import type { Progress } from './progress.js';
import type { StartSettings } from './settings.js';

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
  if (settings.baseUrl === 'embedded') {
    const { manualPairingCode } = await engine.pair({ manualCode: true });
    lines.push('  Talk to it as a remote client would, from another terminal:', '');
    const command = `${selfCommand()} call --base-url ${remoteControl.baseUrl} --code ${manualPairingCode} engine/status/read`;
    lines.push(
      `    ${bold(36, command)}`,
      '',
      '  The code works once, for ten minutes; rc-engine pair makes another.',
    );
  } else {
    lines.push('  Pair a controller:   rc-engine pair', '  See how it goes:     rc-engine status');
  }
  lines.push('  Ctrl-C ends it.', '', '');
  process.stdout.write(lines.join('\n'));
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
