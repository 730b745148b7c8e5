// Writes the stories into docs/stories/. With --check it writes nothing, and a file that differs is a failure.
import { writeOrCheck } from './generated.mjs';
import { importSource } from './import-source.mjs';
import { storyFiles } from './story-files.mjs';

const HELP = 'Usage: npm run stories [-- --check]';

const [option, ...rest] = process.argv.slice(2);
if (rest.length > 0 || (option !== undefined && option !== '--check')) {
  console.error(HELP);
  process.exit(64);
}

const { wanted, stale } = await storyFiles(await importSource('src/internal.ts'));
await writeOrCheck(wanted, stale, { check: option === '--check', command: 'npm run stories' });
