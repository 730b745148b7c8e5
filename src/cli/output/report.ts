import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { EngineStatus } from '../../engine/status.js';
import type { Home } from '../../home/home.js';
import { redact } from '../../observe/body-preview.js';
import { VERSION } from '../../protocol/version.js';
import { listHistory } from '../../recorder/read-history.js';
import { historyDirectory } from '../../recorder/recorder.js';
import {
  REPORT_FORMAT,
  REPORT_VERSION,
  type RedactionProof,
  type ReportHistory,
} from '../../recorder/report-file.js';

interface Collected {
  readonly text: string;
  readonly contents: readonly { readonly name: string; readonly what: string }[];
  readonly proof: RedactionProof;
}

/** Limit of each request and check, ms. */
const LIMIT = 5_000;
const LOG_LINES = 1_000;
/** Shorter values of a file are no secrets: names, kinds, plans. */
const MIN_SECRET = 16;
/** Members that name people; a report needs none of them. */
const PERSONAL: ReadonlySet<string> = new Set(['email', 'displayName']);

interface Live {
  readonly status: EngineStatus | undefined;
  readonly log: readonly unknown[];
  /** The token in the connect URL. */
  readonly secrets: readonly string[];
}

/** All that a bug report needs. Nothing is written. */
export async function collectReport(home: Home): Promise<Collected> {
  const { status, log, secrets } = await readLive(home);
  const { chartHashes } = await import('../../engine/charts.js');
  const [doctor, settings, history] = [
    await runDoctor(home, status),
    await settingsOf(home),
    await historyOf(home),
  ];
  const charts = chartHashes();
  const parts = {
    versions: {
      ...{ rcEngine: VERSION, node: process.version, platform: process.platform, arch: process.arch },
      release: (await import('node:os')).release(),
    },
    charts,
    status: status ?? null,
    doctor,
    settings,
    log,
    history,
  };
  const safe: unknown = withoutPersons(redact(JSON.parse(JSON.stringify(parts))));
  const proof = searchFor(
    JSON.stringify(safe),
    await secretsOf(home, authFileOf(settings) ?? home.authFile, secrets),
  );
  const body = {
    ...{ format: REPORT_FORMAT, version: REPORT_VERSION, createdAt: new Date().toISOString() },
    ...(safe as object),
    redaction: proof,
  };
  const lines = history.reduce((sum, file) => sum + file.lines.length, 0);
  return {
    text: JSON.stringify(body, undefined, 1),
    proof,
    contents: [
      { name: 'versions', what: `rc-engine ${VERSION}, node ${process.version}, ${process.platform}` },
      { name: 'charts', what: `the hashes of ${Object.keys(charts).length} charts` },
      { name: 'status', what: status === undefined ? 'none: no engine runs' : 'of the running engine' },
      { name: 'doctor', what: `${doctor.length} checks` },
      { name: 'settings', what: `${settings.length} settings with their origins` },
      { name: 'log', what: `${log.length} lines` },
      { name: 'history', what: `${lines} lines in ${history.length} files` },
      {
        name: 'redaction',
        what: `searched for ${proof.searched.map(({ what, values }) => `${what} (${values})`).join(', ')}: found ${proof.found}`,
      },
    ],
  };
}

async function readLive(home: Home): Promise<Live> {
  const { connectIfRunning, readStatus } = await import('../control-client.js');
  const client = await connectIfRunning(home.dir).catch(() => undefined);
  if (client === undefined) return { status: undefined, log: await savedLog(home), secrets: [] };
  try {
    const status = await readStatus(client, LIMIT).catch(() => undefined);
    const answer = await client
      .request('engine/logs/read', { limit: LOG_LINES }, LIMIT)
      .catch(() => undefined);
    const url = await client.request('engine/connectUrl/read', {}, LIMIT).catch(() => undefined);
    const log = recordOf(answer).records;
    return { status, log: Array.isArray(log) ? log : [], secrets: tokensIn(JSON.stringify(url ?? null)) };
  } finally {
    client.close();
  }
}

async function savedLog(home: Home): Promise<readonly unknown[]> {
  const { readLogFile } = await import('./log-file.js');
  return readLogFile(join(home.dir, 'engine.log'), { lines: LOG_LINES, level: undefined }).catch(() => []);
}

const tokensIn = (text: string): readonly string[] =>
  [...text.matchAll(/[?&]token=([^&"]+)/g)].map(([, token = '']) => token);

async function runDoctor(home: Home, status: EngineStatus | undefined): Promise<readonly object[]> {
  const { doctorChecks } = await import('../doctor/plan.js');
  const { runChecks } = await import('../doctor/check.js');
  const checks = doctorChecks({
    ...{ home, flags: {}, env: process.env, command: undefined, timeout: LIMIT, given: {} },
    readStatus: async () => status,
    // It would start a process.
    probeRunning: async () => null,
  });
  const rows: object[] = [];
  for await (const row of runChecks(checks, new AbortController().signal)) rows.push(row);
  return rows;
}

async function settingsOf(home: Home): Promise<readonly object[]> {
  const { parseConfig, readConfigText } = await import('../../home/config-file.js');
  const { configSchema, resolveEach } = await import('../settings/resolve-settings.js');
  try {
    const content = await readConfigText(home.configFile);
    const file: Record<string, unknown> = parseConfig(home.configFile, content, configSchema);
    return resolveEach({}, { ...process.env }, file).map(({ setting, value, origin }) => ({
      name: setting.name,
      value: setting.mayHoldSecret === true && value !== undefined ? '<redacted>' : (value ?? null),
      default: setting.default ?? null,
      origin,
    }));
  } catch (error) {
    return [{ problem: error instanceof Error ? error.message : 'config.json cannot be read' }];
  }
}

async function historyOf(home: Home): Promise<ReportHistory[]> {
  const files: ReportHistory[] = [];
  for (const path of await listHistory(historyDirectory(home.dir)).catch(() => [])) {
    const text = await readFile(path, 'utf8').catch(() => '');
    files.push({ name: basename(path), lines: text.split('\n').slice(0, -1) });
  }
  return files;
}

/** The account file may be another one than that of the home. */
function authFileOf(settings: readonly object[]): string | undefined {
  const found = settings.find((one) => 'name' in one && one.name === 'authFile');
  return found !== undefined && 'value' in found && typeof found.value === 'string' ? found.value : undefined;
}

/** Every secret of this home, by the place that holds it. */
async function secretsOf(
  home: Home,
  authFile: string,
  live: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>();
  for (const name of ['auth.json', 'call.json', 'controllers.json', 'hubs.json']) {
    const path = name === 'auth.json' ? authFile : join(home.dir, name);
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text !== undefined) found.set(`secrets of ${name}`, secretStrings(text));
  }
  found.set('the token of the connect URL', live);
  const token = process.env.RC_ENGINE_ACCESS_TOKEN;
  found.set('RC_ENGINE_ACCESS_TOKEN', token === undefined || token === '' ? [] : [token]);
  return found;
}

/** Values of members that hold secrets, at any depth. */
function secretStrings(text: string): string[] {
  const values: string[] = [];
  const visit = (name: string, value: unknown): void => {
    if (typeof value === 'string') {
      if (value.length >= MIN_SECRET && /token|key|secret|code|password/i.test(name)) values.push(value);
    } else if (typeof value === 'object' && value !== null) {
      for (const [inner, one] of Object.entries(value)) visit(inner, one);
    }
  };
  try {
    visit('', JSON.parse(text));
  } catch {
    // A damaged file has no member to search for; forms of tokens are searched all the same.
  }
  return values;
}

function searchFor(text: string, secrets: ReadonlyMap<string, readonly string[]>): RedactionProof {
  const searched = [...secrets].map(([what, values]) => ({
    ...{ what, values: values.length },
    found: values.reduce((sum, value) => sum + text.split(value).length - 1, 0),
  }));
  const forms = [/\beyJ[\w-]{5,}\.[\w-]+\.[\w-]+/g, /\bsk-[\w-]{16,}/g, /\bBearer [\w.-]{16,}/g];
  const byForm = forms.reduce((sum, form) => sum + [...text.matchAll(form)].length, 0);
  const all = [...searched, { what: 'forms of tokens', values: forms.length, found: byForm }];
  return { searched: all, found: all.reduce((sum, { found }) => sum + found, 0) };
}

function withoutPersons(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPersons);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      PERSONAL.has(name) && typeof inner === 'string' ? '<redacted>' : withoutPersons(inner),
    ]),
  );
}

const recordOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
