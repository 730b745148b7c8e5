import { EXIT, usageError } from '../errors.js';
import { errorOutput, printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';

export const report = defineCommand({
  name: 'report',
  description: 'Pack what a bug report needs into one file, without secrets',
  progress: 'Collecting the report',
  notes:
    'Status, doctor, versions, chart hashes, settings with their origins, the last log lines and the history. It is one JSON\n' +
    'text, compressed: gzip -dc FILE shows it, and rc-engine replay FILE replays it. The finished text is searched for each\n' +
    'secret of the home; what was searched and found is in the file. It works without a running engine, too.\n' +
    'Exit codes: 0 written, 1 not written, because a secret was found in it.',
  options: {
    ...HOME_OPTION,
    ...JSON_OPTION,
    out: {
      type: 'string',
      description: 'File to write. Default: rc-engine-report-TIME.json.gz here',
      completes: 'files',
    },
  },
  examples: [['report', 'Write a report into this directory']],
  run: async ({ home: homeDir, json = false, out }) => {
    errorOutput.json = json;
    const { collectReport } = await import('../output/report.js');
    const { packReport } = await import('../../recorder/report-file.js');
    const { locateHome, resolveHome } = await import('../../home/home.js');
    const home = locateHome(resolveHome(homeDir));
    const path =
      out ?? `rc-engine-report-${new Date().toISOString().slice(0, 19).replace(/[-:]/g, '')}.json.gz`;
    const { text, contents, proof } = await collectReport(home);
    if (!json) {
      stdout.print('The report has:');
      for (const { name, what } of contents) stdout.print(`  ${name.padEnd(12)} ${what}`);
    }
    if (proof.found > 0) {
      const where = proof.searched.filter(({ found }) => found > 0).map(({ what }) => what);
      if (json) printJson({ type: 'report', file: null, contents, redaction: proof });
      else
        stdout.print(
          `It is not written: it contains ${where.join(', ')}. Report this as a bug, without the report.`,
        );
      return EXIT.failed;
    }
    const { writeFile } = await import('node:fs/promises');
    const { errnoText } = await import('../../system/errno.js');
    try {
      await writeFile(path, packReport(text), { mode: 0o600, flag: 'wx' });
    } catch (error) {
      throw usageError(`${path} cannot be written: ${errnoText(error)}.`, 'Give --out another file.', error);
    }
    if (json) printJson({ type: 'report', file: path, contents, redaction: proof });
    else stdout.print(`Written to ${path}. Look into it before you send it: gzip -dc ${path}`);
    return EXIT.ok;
  },
});
