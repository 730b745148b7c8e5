import type { AccountSummary } from '../../account/types.js';
import { EngineError } from '../../protocol/errors.js';
import { type AccountFlags, connectAccount } from '../account-client.js';
import { EXIT, means, paint, printJson, todo } from '../output/output.js';

const METHOD = 'engine/account/read';

/** `rc-engine whoami`: 0 signed in with ChatGPT, 3 not, or not usable for remote control. */
export async function whoami(flags: AccountFlags): Promise<number> {
  const client = await connectAccount(flags);
  try {
    // The engine is this same program: its answer has the shape it was written with.
    const summary = (await client.request(METHOD, {})) as AccountSummary;
    if (flags.json === true) printJson({ type: 'account', ...summary, home: client.home.dir });
    else process.stdout.write(`${describe(summary).join('\n')}\n`);
    return summary.mode !== null && summary.problem === null ? EXIT.ok : EXIT.authRequired;
  } catch (error) {
    if (error instanceof EngineError && error.code === 'remoteRefused') {
      throw new EngineError('remoteRefused', 'This engine was given its account by the program around it.');
    }
    throw error;
  } finally {
    client.close();
  }
}

const SOURCES = {
  file: 'the account file',
  memory: 'memory only: they end with the engine',
  environment: 'RC_ENGINE_ACCESS_TOKEN',
  parent: 'a parent app, in memory only',
} as const;

/** One line: how somebody is signed in. */
export function signedIn(summary: AccountSummary | null): string {
  if (summary === null) return 'by the program around the engine';
  const { mode, email, plan } = summary;
  if (mode === null) return summary.login === null ? 'nobody' : 'nobody yet: a sign-in waits for a person';
  if (mode === 'apikey') return 'with an API key';
  return `with ChatGPT${email === null ? '' : ` as ${email}`}, plan ${plan ?? 'unknown'}`;
}

function describe(summary: AccountSummary): string[] {
  const colour = paint(process.stdout);
  const rows: [string, string][] = [['signed in', signedIn(summary)]];
  if (summary.accountId !== null) rows.push(['account id', summary.accountId]);
  if (summary.userId !== null) rows.push(['user id', summary.userId]);
  if (summary.source !== null) rows.push(['tokens', `from ${SOURCES[summary.source]}`]);
  const { problem } = summary;
  if (problem !== null) {
    rows.push(['problem', `${problem.reason}: ${means(problem.reason)} ${problem.message}`]);
    rows.push(['to do', todo(problem.reason)]);
  }
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${colour(90, name.padEnd(width))}  ${value}`);
}
