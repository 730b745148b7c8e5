/** The charts that the words of `graph` and `paths` name: the engine's own ones, or those of files. */
import type { Charts } from '../../visualize/exports.js';
import { oneOf, usageError } from '../errors.js';
import type { FileChart } from './charts-of-files.js';
import { findFiles, namesFiles } from './find-files.js';
import type { Versions } from './versions.js';

export interface Selection {
  readonly charts: Charts;
  /** The charts of files; undefined for the engine's own charts. */
  readonly ofFiles: readonly FileChart[] | undefined;
  /** The words name a set of charts, not single ones: what belongs to none of them is noticed. */
  readonly isWhole: boolean;
  /** Each chart at the revision and now. */
  versionsSince(revision: string): Promise<readonly Versions[]>;
}

/** @throws EngineError `usage` */
export async function selectCharts(words: readonly string[]): Promise<Selection> {
  if (!words.some(namesFiles)) return ownCharts(words);
  const own = words.find((word) => !namesFiles(word));
  if (own !== undefined) {
    throw usageError(
      `${JSON.stringify(own)} is no file, and the engine's own charts cannot be combined with files.`,
      'Name only files, directories and patterns, or only charts of the engine.',
    );
  }
  const { chartsOfFiles } = await import('./charts-of-files.js');
  const files = findFiles(words);
  const ofFiles = await chartsOfFiles(files);
  return {
    charts: Object.fromEntries(ofFiles.map(({ name, machine }) => [name, machine])),
    ofFiles,
    isWhole: files.some(({ isNamed }) => !isNamed),
    versionsSince: async (revision) => {
      const { versionsOfFiles } = await import('./versions.js');
      return versionsOfFiles(words, ofFiles, revision);
    },
  };
}

async function ownCharts(words: readonly string[]): Promise<Selection> {
  const { CHARTS } = await import('../../engine/charts.js');
  const all: Charts = CHARTS;
  const names = words.length === 0 ? Object.keys(all) : words;
  const charts = Object.fromEntries(
    names.map((word) => {
      const name = oneOf('machine', word, Object.keys(all));
      return [name, all[name]];
    }),
  ) as Charts;
  return {
    charts,
    ofFiles: undefined,
    isWhole: words.length === 0,
    versionsSince: async (revision) => {
      const { versionsOfOwnCharts } = await import('./versions.js');
      return versionsOfOwnCharts(charts, revision);
    },
  };
}
