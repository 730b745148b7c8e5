// The two steps of action.yml. `compare` runs rc-engine and writes what differs into a directory; `comment` writes it to the
// pull request and to the summary of the job. It needs Node 20 and git, and nothing else.
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** It finds the comment of an earlier run. */
const MARKER = '<!-- rc-engine statechart changes -->';
/** The longest comment that GitHub accepts, with room for the end. */
const MAX_COMMENT = 64_000;
const BODY = 'comment.md';

const { env } = process;
const fail = (message) => {
  console.error(`::error::${message}`);
  process.exit(1);
};

/** A word of a command, for a shell. */
const quoted = (word) => `'${word.replaceAll("'", "'\\''")}'`;

function compare() {
  const files = (env.CHARTS_FILES ?? '').split('\n').flatMap((line) => line.trim() || []);
  if (files.length === 0) fail('The input `files` names no file.');
  const base = event().pull_request?.base?.sha;
  if (typeof base !== 'string') fail('This is no pull request. Run the action on: pull_request');
  if (git('cat-file', '-e', `${base}^{commit}`).status !== 0) {
    const fetched = git('fetch', '--no-tags', '--depth=1', 'origin', base);
    if (fetched.status !== 0) fail(`The base ${base} cannot be fetched: ${fetched.stderr.trim()}`);
  }
  const directory = mkdtempSync(join(env.RUNNER_TEMP ?? tmpdir(), 'statechart-changes-'));
  const changed = jsonLines(
    rcEngine(['graph', ...files, '--diff', base, '--json', '--out', directory]),
  ).filter(({ type }) => type === 'chart');
  const diagrams = join(directory, 'mermaid');
  mkdirSync(diagrams);
  if (changed.length > 0) rcEngine(['graph', ...files, '--format', 'mermaid', '--out', diagrams]);
  const scenarios = changed.length > 0 && env.CHARTS_SCENARIOS !== 'false' ? scenariosSince(base, files) : [];
  writeFileSync(join(directory, BODY), textOf(changed, scenarios, diagrams));
  output('changed', String(changed.length > 0));
  output('directory', directory);
}

/** The scenarios that are new or gone, or why there are none: the charts may need options. */
function scenariosSince(base, files) {
  const options = env.CHARTS_OPTIONS ? ['--options', env.CHARTS_OPTIONS] : [];
  const { status, stdout, stderr } = run(['paths', ...files, ...options, '--diff', base, '--json']);
  return status === 0 ? jsonLines(stdout) : stderr.trim();
}

function textOf(changed, scenarios, diagrams) {
  if (changed.length === 0) return 'No statechart differs from the base of this pull request.\n';
  const parts = [`### What this changes in the statecharts`];
  for (const { name, changes } of changed) {
    parts.push('', `**${escaped(name)}**`, '', ...changes.map((change) => `- ${escaped(change)}`));
    const file = join(diagrams, `${name.replace(/[<>:"/\\|?*]+/g, '-')}.mmd`);
    if (existsSync(file))
      parts.push(
        '',
        ...folded(`${name} after the change`, ['```mermaid', readFileSync(file, 'utf8').trim(), '```']),
      );
    if (!Array.isArray(scenarios)) continue;
    const found = scenarios.find((one) => one.name === name);
    const list = (title, texts = []) => texts.flatMap((text) => ['', `**${title}:** ${text}`]);
    if (found !== undefined)
      parts.push(
        '',
        ...folded(`${name}: ${found.added.length} new scenarios, ${found.removed.length} gone`, [
          ...list('New', found.added),
          ...list('Gone', found.removed),
        ]),
      );
  }
  if (typeof scenarios === 'string') parts.push('', ...folded('No scenarios', ['```text', scenarios, '```']));
  return `${parts.join('\n')}\n`;
}

const folded = (title, lines) => [
  '<details>',
  `<summary>${escaped(title)}</summary>`,
  '',
  ...lines,
  '',
  '</details>',
];

/** Names of charts are not markup, and notify nobody. */
const escaped = (text) =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('@', '@\u200b')
    .replace(/[*_`[\]|]/g, '\\$&');

async function comment() {
  const text = readFileSync(join(env.CHARTS_DIRECTORY ?? '', BODY), 'utf8');
  const pictures = env.CHARTS_PICTURES
    ? `\n[Pictures of both versions](${env.CHARTS_PICTURES}), with what changed in colour.\n`
    : '';
  if (env.GITHUB_STEP_SUMMARY) appendFileSync(env.GITHUB_STEP_SUMMARY, text + pictures);
  if (env.CHARTS_COMMENT === 'false') return;
  const room = MAX_COMMENT - pictures.length;
  const shown =
    text.length <= room
      ? text
      : `${text.slice(0, text.lastIndexOf('\n<details>', room))}\n\nThe rest is in the summary of the job.\n`;
  const body = `${MARKER}\n${shown}${pictures}`;
  const number = event().pull_request?.number;
  const issue = `/repos/${env.GITHUB_REPOSITORY}/issues/${number}/comments`;
  const known = await earlierComment(issue);
  if (known !== undefined)
    await api('PATCH', `/repos/${env.GITHUB_REPOSITORY}/issues/comments/${known}`, { body });
  // Without a difference there is nothing to say, unless an earlier run said something.
  else if (pictures !== '' || !text.startsWith('No statechart')) await api('POST', issue, { body });
}

async function earlierComment(issue) {
  for (let page = 1; ; page += 1) {
    const comments = await api('GET', `${issue}?per_page=100&page=${page}`);
    if (!Array.isArray(comments)) return undefined;
    const found = comments.find(({ body }) => typeof body === 'string' && body.startsWith(MARKER));
    if (found !== undefined) return found.id;
    if (comments.length < 100) return undefined;
  }
}

/** A pull request from a fork has a token that may only read: the summary of the job has the text then. */
async function api(method, path, body) {
  const response = await fetch(`${env.GITHUB_API_URL ?? 'https://api.github.com'}${path}`, {
    method,
    headers: {
      accept: 'application/vnd.github+json',
      authorization: `Bearer ${env.CHARTS_TOKEN}`,
      'x-github-api-version': '2022-11-28',
      'user-agent': 'rc-engine-statechart-changes',
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(30_000),
  });
  if (response.status === 403 || response.status === 401) {
    console.log(
      `::warning::The token may not comment (HTTP ${response.status}). Give the job \`permissions: pull-requests: write\`; a fork has no such token. The summary of the job has the text.`,
    );
    process.exit(0);
  }
  if (!response.ok)
    fail(
      `GitHub answered ${method} ${path} with HTTP ${response.status}: ${(await response.text()).slice(0, 300)}`,
    );
  return response.json();
}

function event() {
  try {
    return JSON.parse(readFileSync(env.GITHUB_EVENT_PATH ?? '', 'utf8'));
  } catch (error) {
    return fail(`The event of the workflow cannot be read: ${error.message}`);
  }
}

function rcEngine(args) {
  const { status, stdout, stderr } = run(args);
  if (status !== 0)
    fail(`rc-engine ${args[0]} ended with exit code ${status}: ${stderr.trim().replaceAll('\n', '%0A')}`);
  return stdout;
}

/** The command may have several words, as `npx --yes rc-engine`, so a shell runs it. The arguments are quoted. */
function run(args) {
  const line = `${env.CHARTS_COMMAND ?? 'npx --yes rc-engine'} ${args.map(quoted).join(' ')}`;
  return spawnSync('bash', ['-c', line], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
}

const git = (...args) => spawnSync('git', args, { encoding: 'utf8' });

const jsonLines = (text) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

function output(name, value) {
  if (env.GITHUB_OUTPUT) appendFileSync(env.GITHUB_OUTPUT, `${name}=${value}\n`);
  else console.log(`${name}=${value}`);
}

const [step] = process.argv.slice(2);
if (step === 'compare') compare();
else if (step === 'comment') await comment();
else fail('Usage: node comment.mjs compare|comment');
