import { locateHome } from '../../home/home.js';
import { EngineError } from '../../protocol/errors.js';
import type { ControlClient } from '../control-client.js';
import { EXIT, usageError } from '../errors.js';
import { ask } from '../output/ask.js';
import { printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { meaningOf, nextStepFor } from '../output/text.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';

/** Two requests and a handshake, each with its own limit, in ms. */
const STEP_TIMEOUT = 150_000;

/** From the mildest to the strongest. RC-24 */
const STEPS = [
  {
    name: 'retry',
    does: 'tries to connect now instead of after the pause, or checks an open link',
    costs: 'changes nothing; a Retry-After of the backend is honored',
  },
  {
    name: 'refresh',
    does: 'requests a new server token for the same identity, and connects again',
    costs: 'changes nothing that is stored',
  },
  {
    name: 'reenroll',
    does: 'removes the stored identity and requests a new one',
    costs: 'disconnects controllers; they know the old environment and may have to pair again',
  },
  {
    name: 'installation-id',
    does: 'gives this home directory a new installation id and removes all stored identities',
    costs: 'needs a stopped engine; to the backend this is another machine from then on',
  },
] as const;
type Step = (typeof STEPS)[number];

export const repair = defineCommand({
  name: 'repair',
  description: 'Show the steps that repair the connection to the backend, and run those you confirm',
  progress: 'Asking the engine',
  notes: 'Exit codes: 0 connected or nothing done, 1 not connected after the steps.',
  settings: ['store'],
  options: {
    ...HOME_OPTION,
    ...JSON_OPTION,
    step: {
      type: 'string',
      values: ['retry', 'refresh', 'reenroll', 'installation-id'],
      description: 'Only this step',
    },
    yes: { type: 'boolean', description: 'Run the --step without a question' },
  },
  examples: [
    ['repair', 'Show the steps; on a terminal, confirm each of them'],
    ['repair --step refresh --yes', 'Run one step'],
  ],
  run: async (args) => {
    if (args.yes === true && args.step === undefined) {
      throw usageError(
        '--yes needs --step: only a named step runs without a question.',
        `Add --step with one of: ${STEPS.map(({ name }) => name).join(', ')}.`,
      );
    }
    return runRepair(args);
  },
});

interface RepairArgs {
  readonly home?: string | undefined;
  readonly json?: boolean | undefined;
  readonly step?: Step['name'] | undefined;
  readonly yes?: boolean | undefined;
  readonly [setting: string]: unknown;
}

async function runRepair(args: RepairArgs): Promise<number> {
  const { connectIfRunning } = await import('../control-client.js');
  const client = await connectIfRunning(args.home);
  try {
    const before = client === undefined ? undefined : await readLink(client);
    const connected = before?.status === 'connected';
    const interactive = args.yes !== true && args.json !== true && process.stdin.isTTY && stdout.isTTY;
    if (args.yes !== true) printPlan(args, before);
    if (args.yes !== true && !interactive) {
      if (args.json !== true) stdout.print('', ...howToRun(args, before));
      return EXIT.ok;
    }
    if (args.step === undefined && connected) {
      stdout.print('', 'Remote control is connected. There is nothing to repair.');
      return EXIT.ok;
    }
    return await runSteps(args, client, connected, interactive);
  } finally {
    client?.close();
  }
}

async function runSteps(
  args: RepairArgs,
  client: ControlClient | undefined,
  connectedBefore: boolean,
  interactive: boolean,
): Promise<number> {
  let connected = connectedBefore;
  for (const step of STEPS) {
    if (args.step !== undefined && args.step !== step.name) continue;
    // The last step needs a stopped engine, the others a running one.
    const possible = (step.name === 'installation-id') === (client === undefined);
    if (!possible && args.step === undefined) continue;
    if (!possible) throw impossible(step.name, args.home);
    if (interactive && !(await confirmed(step))) continue;
    if (client === undefined) return renewInstallation(args);
    const { failure, link } = await runStep(client, step.name);
    connected = link.status === 'connected';
    printResult(args, step.name, link, failure);
    if (connected && args.step === undefined) break;
  }
  return connected ? EXIT.ok : EXIT.failed;
}

function impossible(step: Step['name'], home: string | undefined): EngineError {
  const { dir } = locateHome(home);
  if (step !== 'installation-id') return new EngineError('notRunning', `No engine runs on ${dir}.`);
  return new EngineError('alreadyRunning', `An engine runs on ${dir} and uses its installation id.`, {
    remediation: 'Stop the engine, run this again, then start the engine.',
  });
}

/** The part of the status of an engine that is shown here. */
interface Link {
  readonly status: string;
  readonly state: string;
  readonly reason: string;
  readonly lastFailure: { readonly message: string } | null;
}
type Failure = { readonly reason: string; readonly message: string } | null;

async function readLink(client: ControlClient): Promise<Link> {
  const { readStatus } = await import('../control-client.js');
  return (await readStatus(client)).remoteControl;
}

async function runStep(
  client: ControlClient,
  step: Step['name'],
): Promise<{ readonly failure: Failure; readonly link: Link }> {
  // The engine is the same program, so its response has the type that it was written with.
  const { failure, report } = (await client.request('engine/repair', { step }, STEP_TIMEOUT)) as {
    readonly failure: Failure;
    readonly report: Link;
  };
  return { failure, link: report };
}

async function renewInstallation(args: RepairArgs): Promise<number> {
  const { renewInstallation: renew } = await import('../renew-installation.js');
  const store = typeof args.store === 'string' ? args.store : undefined;
  const { installationId, oldInstallationId } = await renew(args.home, store);
  if (args.json === true) {
    printJson({ type: 'repaired', step: 'installation-id', installationId, oldInstallationId });
  } else {
    const old = oldInstallationId === null ? '' : ` (it was ${oldInstallationId})`;
    stdout.print(
      `The new installation id is ${installationId}${old}. The stored identities are removed.`,
      'Start the engine again: rc-engine start',
    );
  }
  return EXIT.ok;
}

function printPlan({ json, step: only }: RepairArgs, link: Link | undefined): void {
  const steps = STEPS.filter(({ name }) => only === undefined || name === only);
  if (json === true) {
    printJson({ type: 'plan', engine: link ?? null, steps });
    return;
  }
  const lines = [link === undefined ? 'No engine runs on this home directory.' : describeLink(link)];
  lines.push('', 'Repair steps, from the mildest to the strongest:');
  for (const { name, does, costs } of steps) {
    lines.push(`  ${name.padEnd(15)} ${does}`, `  ${''.padEnd(15)} (${costs})`);
  }
  stdout.print(...lines);
}

function howToRun({ step = 'retry' }: RepairArgs, link: Link | undefined): string[] {
  return link === undefined
    ? [
        'Nothing was done. All steps but the last need a running engine: rc-engine start',
        'The last step needs a stopped one:',
        '  rc-engine repair --step installation-id --yes',
      ]
    : [`Nothing was done. To run a step: rc-engine repair --step ${step} --yes`];
}

function printResult({ json }: RepairArgs, step: Step['name'], link: Link, failure: Failure): void {
  const connected = link.status === 'connected';
  if (json === true) {
    printJson({ type: 'repaired', step, connected, failure, ...link });
    return;
  }
  const lines = [`${step}: ${failure === null ? 'done' : failure.message}`, describeLink(link)];
  const nextStep = connected ? '' : nextStepFor(failure?.reason ?? link.reason);
  if (nextStep !== '') lines.push(`  ${nextStep}`);
  stdout.print(...lines);
}

function describeLink({ status, state, reason, lastFailure }: Link): string {
  const meaning = meaningOf(reason);
  const detail = status === 'connected' ? meaning : (lastFailure?.message ?? meaning);
  return `Remote control is ${status} (${state}): ${detail}`;
}

async function confirmed({ name, does }: Step): Promise<boolean> {
  const answer = await ask(`\n${name}: ${does}. Run it? [y/N] `, 'stdout');
  return /^y(?:es)?$/i.test(answer);
}
