import { createInterface } from 'node:readline/promises';
import * as v from 'valibot';
import { locateHome } from '../../home/home.js';
import { EngineError } from '../../protocol/errors.js';
import { type ControlClient, connectControl } from '../control-client.js';
import { EXIT, means, printJson, todo } from '../output/output.js';
import { renewInstallation } from './renew-installation.js';
import { REPAIR_STEPS, type RepairStep, type RepairStepName } from './repair-steps.js';

export interface RepairArgs {
  readonly home?: string | undefined;
  readonly store?: string | undefined;
  readonly step?: RepairStepName | undefined;
  readonly yes?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** Two requests and a handshake, each at its own limit, ms. */
const STEP_LIMIT = 150_000;

const stateSchema = v.object({
  status: v.string(),
  state: v.string(),
  reason: v.string(),
  lastFailure: v.nullable(v.looseObject({ message: v.string() })),
});
type State = v.InferOutput<typeof stateSchema>;
const statusSchema = v.looseObject({ remoteControl: stateSchema });
const answerSchema = v.looseObject({
  failure: v.nullable(v.looseObject({ reason: v.string(), message: v.string() })),
  report: stateSchema,
});

/** `rc-engine repair`: shows what can be done about a link that does not come up, and does what is confirmed. RC-24 */
export async function repair(args: RepairArgs): Promise<number> {
  if (args.yes === true && args.step === undefined) {
    throw new EngineError('usage', '--yes needs --step: nothing is done that was not named.', {
      remediation: 'rc-engine repair shows the steps, from the mildest on.',
    });
  }
  const client = await connectControl(args.home).catch((error: unknown) => {
    if (error instanceof EngineError && error.code === 'notRunning') return undefined;
    throw error;
  });
  try {
    const before = client === undefined ? undefined : await stateOf(client);
    const asks = args.yes !== true && args.json !== true && process.stdin.isTTY && process.stdout.isTTY;
    if (args.yes !== true) showPlan(args, before);
    if (args.yes !== true && !asks) {
      if (args.json !== true) process.stdout.write(`\n${hint(args, before)}\n`);
      return EXIT.ok;
    }
    if (args.step === undefined && before?.status === 'connected') {
      process.stdout.write('\nIt is connected: there is nothing to repair.\n');
      return EXIT.ok;
    }
    return await doSteps(args, client, before?.status === 'connected', asks);
  } finally {
    client?.close();
  }
}

async function doSteps(
  args: RepairArgs,
  client: ControlClient | undefined,
  connectedBefore: boolean,
  asks: boolean,
): Promise<number> {
  let connected = connectedBefore;
  for (const step of REPAIR_STEPS) {
    if (args.step !== undefined && args.step !== step.name) continue;
    // Only one of the two kinds of step can be done now; whoever named one is told why not.
    const possible = (step.name === 'installation-id') === (client === undefined);
    if (!possible && args.step === undefined) continue;
    if (!possible) throw impossible(step.name, args.home);
    if (asks && !(await confirmed(step))) continue;
    if (client === undefined) return renewInstallation(args);
    const { failure, report } = await ask(client, step.name);
    connected = report.status === 'connected';
    tell(args, step.name, report, failure);
    if (connected && args.step === undefined) break;
  }
  return connected ? EXIT.ok : EXIT.failed;
}

function hint({ step = 'retry' }: RepairArgs, state: State | undefined): string {
  return state === undefined
    ? 'Nothing was done. The first steps need a running engine: rc-engine start. The last one, while none runs:\n  rc-engine repair --step installation-id --yes'
    : `Nothing was done. To do a step: rc-engine repair --step ${step} --yes`;
}

function impossible(step: RepairStepName, home: string | undefined): EngineError {
  const { dir } = locateHome(home);
  if (step !== 'installation-id') return new EngineError('notRunning', `No engine runs on ${dir}.`);
  return new EngineError(
    'alreadyRunning',
    `An engine runs on ${dir}, and keeps its installation id while it does.`,
    {
      remediation: 'Stop it, run this again, and start it anew.',
    },
  );
}

async function ask(client: ControlClient, step: RepairStepName) {
  return v.parse(answerSchema, await client.request('engine/repair', { step }, STEP_LIMIT));
}

async function stateOf(client: ControlClient): Promise<State> {
  return v.parse(statusSchema, await client.request('engine/status/read', {})).remoteControl;
}

function showPlan({ json, step: only }: RepairArgs, state: State | undefined): void {
  const steps = REPAIR_STEPS.filter(({ name }) => only === undefined || name === only);
  if (json === true) {
    printJson({ type: 'plan', engine: state ?? null, steps });
    return;
  }
  const lines = state === undefined ? ['No engine runs on this home.'] : [sentence(state)];
  lines.push('', 'What can be done, from the mildest on:');
  for (const { name, does, costs } of steps) {
    lines.push(`  ${name.padEnd(15)} ${does}`, `  ${''.padEnd(15)} (${costs})`);
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}

function tell(
  args: RepairArgs,
  step: string,
  report: State,
  failure: { reason: string; message: string } | null,
): void {
  if (args.json === true) {
    printJson({ type: 'repaired', step, connected: report.status === 'connected', failure, ...report });
    return;
  }
  const lines = [`${step}: ${failure === null ? 'done' : failure.message}`, sentence(report)];
  const next = report.status === 'connected' ? '' : todo(failure?.reason ?? report.reason);
  if (next !== '') lines.push(`  ${next}`);
  process.stdout.write(`${lines.join('\n')}\n`);
}

function sentence({ status, state, reason, lastFailure }: State): string {
  const why = status === 'connected' ? means(reason) : (lastFailure?.message ?? means(reason));
  return `Remote control is ${status} (${state}): ${why}`;
}

async function confirmed({ name, does }: RepairStep): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  lines.on('SIGINT', () => {
    lines.close();
    process.kill(process.pid, 'SIGINT');
  });
  try {
    const answer = await lines.question(`\n${name}: ${does}. Do it? [y/N] `);
    return /^y(?:es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}
