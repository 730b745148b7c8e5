// Writes docs/api/: one report of the public API for each entry point of the package, made from the declarations. With
// --check nothing is written, and a report that does not match the sources is an error: a change of the public API
// becomes part of the commit that makes it.
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor';
import { ROOT } from './import-source.mjs';

const HELP = 'Usage: npm run api [-- --check]';
const REPORTS = 'docs/api';
const ENTRIES = {
  'rc-engine': 'src/index.d.ts',
  'rc-engine-machines': 'machines/index.d.ts',
  'rc-engine-testing': 'src/testing/index.d.ts',
  'rc-engine-visualize': 'src/visualize/index.d.ts',
};

const [option, ...rest] = process.argv.slice(2);
if (rest.length > 0 || (option !== undefined && option !== '--check')) {
  console.error(HELP);
  process.exit(64);
}

// Inside the repository, where the dependencies are found, but not in node_modules, which counts as other packages.
const work = await mkdtemp(join(ROOT, '.dist-api-'));
const wrong = [];
try {
  declarations(join(work, 'types'));
  for (const [name, entry] of Object.entries(ENTRIES)) {
    const text = await report(name, join(work, 'types', entry));
    const path = join(ROOT, REPORTS, `${name}.api.md`);
    if (option !== '--check') {
      await mkdir(join(ROOT, REPORTS), { recursive: true });
      await writeFile(path, text);
    } else if ((await readFile(path, 'utf8').catch(() => undefined)) !== text) {
      wrong.push(`${REPORTS}/${name}.api.md does not match the sources.`);
    }
  }
} finally {
  await rm(work, { recursive: true, force: true });
}
if (wrong.length > 0) {
  console.error(wrong.join('\n'));
  if (option === '--check') console.error('Run `npm run api`, check the difference, and commit it.');
  process.exit(1);
}

function declarations(outDir) {
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { status, stdout } = spawnSync(
    process.execPath,
    [tsc, '-p', 'tsconfig.build.json', '--outDir', outDir],
    {
      cwd: ROOT,
      encoding: 'utf8',
    },
  );
  if (status !== 0) throw new Error(`tsc cannot write the declarations:\n${stdout}`);
}

/** The text of one report. A public export without a doc comment, or a public type that is not exported, is an error. */
async function report(name, entry) {
  const config = ExtractorConfig.prepare({
    packageJsonFullPath: join(ROOT, 'package.json'),
    configObjectFullPath: undefined,
    configObject: {
      projectFolder: work,
      mainEntryPointFilePath: entry,
      newlineKind: 'lf',
      compiler: {
        overrideTsconfig: { compilerOptions: { module: 'nodenext', skipLibCheck: true, types: ['node'] } },
      },
      apiReport: {
        enabled: true,
        reportFileName: `${name}.api.md`,
        reportFolder: work,
        reportTempFolder: join(work, 'temp'),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        extractorMessageReporting: {
          default: { logLevel: ExtractorLogLevel.None },
          'ae-undocumented': { logLevel: ExtractorLogLevel.None, addToApiReportFile: true },
          // The types of the charts name internal types of XState and of ours on purpose.
          'ae-forgotten-export': {
            logLevel: ExtractorLogLevel.None,
            addToApiReportFile: name === 'rc-engine',
          },
        },
        tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
      },
    },
  });
  const { succeeded } = Extractor.invoke(config, {
    localBuild: true,
    messageCallback: (message) => {
      message.handled = true;
      if (message.logLevel === ExtractorLogLevel.Error) wrong.push(message.text);
    },
  });
  if (!succeeded) throw new Error(`api-extractor failed for ${name}.`);
  const raw = await readFile(join(work, `${name}.api.md`), 'utf8');
  // Without the name of the temporary directory and the positions, which differ although the API does not.
  const text = raw.replace(/^(\/\/ )\.dist-api-\w+\/types\/(\S+?):\d+:\d+ /gm, '$1$2 ');
  for (const [, found] of text.matchAll(/^\/\/ @public \(undocumented\)\n(?:export )?(.*)/gm)) {
    wrong.push(`${name}: "${found}" has no doc comment.`);
  }
  for (const [, found] of text.matchAll(/The symbol ("\w+") needs to be exported/g)) {
    wrong.push(`${name}: the public type ${found} is not exported by src/index.ts.`);
  }
  return text;
}
