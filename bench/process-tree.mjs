/** Memory and processor time of a process and its descendants, from /proc on Linux and from `ps` elsewhere. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const TICK_MS = 10;

function processes() {
  return process.platform === 'linux' ? fromProc() : fromPs();
}

function fromProc() {
  const found = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8');
      const field = (key) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
      found.push({ pid: Number(name), parent: field('PPid'), rssKiB: field('VmRSS') });
    } catch {
      // It has ended.
    }
  }
  return found;
}

function fromPs() {
  const text = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,rss='], { encoding: 'utf8' });
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [pid, parent, rssKiB] = line.trim().split(/\s+/).map(Number);
      return { pid, parent, rssKiB };
    });
}

function treeOf(root) {
  const all = processes();
  const tree = all.filter(({ pid }) => pid === root);
  for (const member of tree) tree.push(...all.filter(({ parent }) => parent === member.pid));
  return tree;
}

/** Resident memory of the tree, MiB. */
export function rssMiB(root) {
  return treeOf(root).reduce((sum, { rssKiB }) => sum + rssKiB, 0) / 1024;
}

/** Total processor time of the tree, ms; undefined when it cannot be read. */
export function cpuMs(root) {
  if (process.platform !== 'linux') return undefined;
  let sum = 0;
  for (const { pid } of treeOf(root)) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      sum += (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    } catch {
      // It has ended.
    }
  }
  return sum;
}

/** Total processor time of one process, ms, with microseconds where the system has them; undefined when it cannot be read. */
export function exactCpuMs(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`).reduce(
      (sum, task) =>
        sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1e6,
      0,
    );
  } catch {
    return cpuMs(pid);
  }
}

export function killTree(root, signal) {
  for (const { pid } of treeOf(root).reverse()) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended.
    }
  }
}
