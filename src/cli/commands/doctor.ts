import { isRecord } from '../../protocol/jsonrpc.js';
import type { GivenSignIn } from '../doctor/engine-checks.js';
import { EXIT, usageError } from '../errors.js';
import { errorOutput, printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';
import { ACCOUNT_SETTING_NAMES, takeAccessToken } from '../settings/account-settings.js';
import { untilStopSignal } from '../signals.js';
import { suggested } from '../suggested.js';

const DEFAULT_TIMEOUT_SECONDS = 10;

export const doctor = defineCommand({
  name: 'doctor',
  description: 'Check everything that a connection needs, and say what to do about what fails',
  notes:
    'It changes nothing and sends no credentials. With a running engine it also checks that engine; without one it\n' +
    'checks what a start from here would find. A check whose prerequisite failed is skipped.\n' +
    'A command after -- is started once as the app server, and must answer initialize.\n' +
    'Exit codes: 0 nothing fails, 1 something fails.',
  settings: [
    ...['baseUrl', 'allowHost', 'caCert', 'listen', 'store', ...ACCOUNT_SETTING_NAMES],
    ...['appServer', 'appServerTokenFile', 'appServerProtocol', 'appServerMode'],
  ],
  options: {
    ...HOME_OPTION,
    ...JSON_OPTION,
    timeout: {
      type: 'seconds',
      description: 'Longest wait for each server and for the app server, in seconds',
      default: String(DEFAULT_TIMEOUT_SECONDS),
    },
  },
  examples: [
    ['doctor', 'Check this machine, the engine, the backend and the sign-in server'],
    ['doctor -- codex app-server', 'Also start this app server once'],
    ['doctor --json --timeout 5', 'For programs: one line for each check, then a summary'],
  ],
  run: async (args, command) => {
    const { home: homeDir, json = false, timeout = DEFAULT_TIMEOUT_SECONDS } = args;
    errorOutput.json = json;
    if (timeout === 0) throw usageError('--timeout must be more than 0 seconds.', 'Give --timeout 10.');
    const { locateHome, resolveHome } = await import('../../home/home.js');
    const { doctorChecks } = await import('../doctor/plan.js');
    const { runChecks, summaryOf } = await import('../doctor/check.js');
    const { DoctorRows, isUnicode } = await import('../doctor/rows.js');
    const home = locateHome(resolveHome(homeDir));
    // No app server may inherit it. A wrong one is a finding.
    let given: GivenSignIn;
    try {
      given = takeAccessToken(process.env);
    } catch (error) {
      given = { error };
    }
    const timeoutMs = Math.min(timeout * 1000, 2 ** 31 - 1);
    const checks = doctorChecks({
      ...{ home, flags: args, env: process.env, command, timeout: timeoutMs, given },
      readStatus: () => readStatusIfRunning(homeDir, timeoutMs),
      probeRunning: () => probeRunning(homeDir, timeoutMs),
    });
    const shown = new DoctorRows(stdout, isUnicode(process.env));
    const rows = [];
    const cancel = new AbortController();
    void untilStopSignal().then(() => cancel.abort());
    try {
      for await (const found of runChecks(checks, cancel.signal, (check) => json || shown.begin(check))) {
        const { remedy } = found;
        const row = remedy === undefined ? found : { ...found, remedy: suggested(remedy, home.dir) };
        rows.push(row);
        if (json) printJson({ type: 'check', ...row });
        else shown.add(row);
      }
    } catch (error) {
      if (!cancel.signal.aborted) throw error;
      if (!json) stdout.print('', 'Cancelled.');
      return EXIT.cancelled;
    }
    const summary = summaryOf(rows);
    if (json) printJson({ type: 'summary', ...summary });
    else shown.summary(summary);
    return summary.failed > 0 ? EXIT.failed : EXIT.ok;
  },
});

async function readStatusIfRunning(home: string | undefined, timeoutMs: number) {
  const { connectIfRunning, readStatus } = await import('../control-client.js');
  const client = await connectIfRunning(home);
  try {
    return client === undefined ? undefined : await readStatus(client, timeoutMs);
  } finally {
    client?.close();
  }
}

async function probeRunning(home: string | undefined, timeoutMs: number): Promise<string | null> {
  const { connectToEngine } = await import('../control-client.js');
  const client = await connectToEngine(home);
  try {
    const limit = Math.min(timeoutMs, 60_000);
    const answer = await client.request('engine/appServer/probe', { timeoutMs: limit }, limit + 5_000);
    return isRecord(answer) && typeof answer.why === 'string' ? answer.why : null;
  } finally {
    client.close();
  }
}
