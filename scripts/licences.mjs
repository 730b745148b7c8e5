// Checks the licence of each installed package against a list, and prints how many packages have which one.
//
//   node scripts/licences.mjs
//
// Exit code 1: a package has no licence, or one that is not on the list. Read it, then add it here or remove the package.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');

const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'PSF-2.0',
  'Python-2.0',
  'Unlicense',
  // Weak copyleft, for each file: used unchanged. lightningcss (tests only) and elkjs (layout of the charts).
  'MPL-2.0',
  'EPL-2.0',
]);

/** An SPDX expression: one alternative of OR is enough, each part of AND is needed. */
function isAllowed(expression) {
  const text = expression.trim().replace(/^\((.*)\)$/, '$1');
  return text
    .split(/\s+OR\s+/)
    .some((one) => one.split(/\s+AND\s+/).every((id) => ALLOWED.has(id.replace(/[()]/g, '').trim())));
}

/** The lock file has the licence of most packages; an older package names it in its own file only. */
function licenceOf(path, entry) {
  if (typeof entry.license === 'string') return entry.license;
  const file = join(ROOT, path, 'package.json');
  if (!existsSync(file)) return undefined;
  const { license } = JSON.parse(readFileSync(file, 'utf8'));
  return typeof license === 'string' ? license : license?.type;
}

const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
const byLicence = new Map();
for (const [path, entry] of Object.entries(packages)) {
  if (path === '' || entry.link === true) continue;
  const licence = licenceOf(path, entry) ?? 'none';
  byLicence.set(licence, [...(byLicence.get(licence) ?? []), path]);
}
let refused = 0;
for (const [licence, paths] of [...byLicence].sort(([, a], [, b]) => b.length - a.length)) {
  if (isAllowed(licence)) {
    console.log(`${licence}: ${paths.length}`);
    continue;
  }
  refused += paths.length;
  console.error(`${licence}: not on the list of scripts/licences.mjs: ${paths.join(', ')}`);
}
process.exitCode = refused > 0 ? 1 : 0;
