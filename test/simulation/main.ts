/** The command `npm run simulate`. */
import { bundle, compile } from './bundle.js';
import { runSeed } from './run.js';

export async function main(root: string, args: readonly string[]): Promise<number> {
  const value = (name: string, fallback: number): number => {
    const at = args.indexOf(name);
    return at === -1 ? fallback : Number(args[at + 1]);
  };
  const code = compile(await bundle(root));
  const first = value('--seed', 1);
  const seeds = value('--seeds', 1);
  const cpu = process.cpuUsage();
  let failed = 0;
  for (let seed = first; seed < first + seeds; seed += 1) {
    const result = await runSeed({ seed, code });
    if (args.includes('--trace')) console.log(result.trace);
    else if (result.failure !== null) console.log(`seed ${seed}: ${result.failure.stack?.slice(0, 600)}`);
    if (seeds === 1) console.log(result.digest, result.events, result.time);
    if (result.failure !== null) failed += 1;
  }
  const used = process.cpuUsage(cpu);
  console.log(`${seeds} seeds, ${failed} failed, cpu ${(used.user + used.system) / 1e3 / seeds} ms per seed`);
  return failed === 0 ? 0 : 1;
}
