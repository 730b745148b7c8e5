// Run by the job that publishes: writes the repository of the running workflow into package.json. npm accepts a package
// with provenance only if its package.json names the repository that built it.
//
//   GITHUB_SERVER_URL=https://github.com GITHUB_REPOSITORY=owner/name node scripts/set-repository.mjs
import { readFileSync, writeFileSync } from 'node:fs';

const { GITHUB_SERVER_URL: server = 'https://github.com', GITHUB_REPOSITORY: name = '' } = process.env;
const FILE = 'package.json';

function fail(problem, nextStep) {
  console.error(`set-repository: ${problem}\n  ${nextStep}`);
  process.exit(1);
}

/** As npm compares it: without the prefix and the ending of git. */
const plain = (url) => url.replace(/^git\+/, '').replace(/\.git$/, '');

if (!/^[\w.-]+\/[\w.-]+$/.test(name)) {
  fail(
    `GITHUB_REPOSITORY is ${JSON.stringify(name)}, not OWNER/NAME.`,
    'Run it in a workflow of GitHub, which sets this variable.',
  );
}
const url = `git+${server}/${name}.git`;
const text = readFileSync(FILE, 'utf8');
const { repository, ...rest } = JSON.parse(text);
const given = typeof repository === 'string' ? repository : repository?.url;
if (given !== undefined && plain(given) !== plain(url)) {
  fail(
    `package.json names the repository ${given}, and this workflow runs in ${plain(url)}.`,
    'Publish from the repository that package.json names, or correct "repository" (or remove it: then it is written here).',
  );
}
writeFileSync(FILE, `${JSON.stringify({ ...rest, repository: { type: 'git', url } }, null, 2)}\n`);
console.log(`package.json names ${plain(url)}, as npm needs it for provenance.`);
