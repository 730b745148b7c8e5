import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readTimeline, restoreTimeline } from '../../src/inspector/saved-timeline.js';
import { cli } from '../support/cli.js';
import { recordedTimeline } from '../support/timeline.js';
import { tmpFolder } from '../support/tmp.js';

const CHARTS = { toggle: 'aaaaaaaaaaaa' };

async function fileOf(content: string | object): Promise<string> {
  const path = join(await tmpFolder(), 'saved.json');
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const reading = async (content: string | object) => {
  const path = await fileOf(content);
  return readTimeline(path, CHARTS).then((saved) => restoreTimeline(saved));
};

describe('a saved timeline', () => {
  it('is restored as it was saved, with the actor states before the first entry', async () => {
    const saved = recordedTimeline(CHARTS);
    const timeline = await reading(saved);
    expect(timeline.slice(timeline.first, timeline.next)).toEqual(saved.entries);
    expect(timeline.base).toEqual(saved.base);
    expect(timeline.actorStatesAt(timeline.first).size).toBe(1);
  });

  it('truncated at any point it is refused as truncated', async () => {
    const text = JSON.stringify(recordedTimeline(CHARTS));
    for (let at = 40; at < text.length; at += 97) {
      await expect(reading(text.slice(0, at)), `truncated at ${at}`).rejects.toMatchObject({
        code: 'timelineUnusable',
        message: expect.stringContaining('truncated'),
      });
    }
  });

  it.each([
    ['of a later format', { version: 3 }, 'format 3'],
    ['of other charts', { charts: { toggle: 'bbbbbbbbbbbb' } }, 'whose chart toggle (bbbbbbbbbbbb)'],
    ['of a chart that no longer exists', { charts: { gone: 'aaaaaaaaaaaa' } }, 'whose chart gone'],
    ['with invalid entries', { entries: [{ seq: 'x' }] }, 'entries.0'],
    [
      'with a missing entry',
      { entries: recordedTimeline(CHARTS).entries.filter((_, index) => index !== 5) },
      'is missing',
    ],
    ['with an unknown member', { more: 1 }, 'damaged'],
  ])('%s is refused, and the message names the problem', async (_, change, message) => {
    await expect(reading({ ...recordedTimeline(CHARTS), ...change })).rejects.toMatchObject({
      code: 'timelineUnusable',
      message: expect.stringContaining(message),
    });
  });

  it.each([
    ['an empty file', ''],
    ['text', 'hello'],
    ['other JSON', '[1]'],
    ['null', 'null'],
    ['binary data', '\u0000\u0001'],
  ])('%s is not a timeline', async (_, content) => {
    await expect(reading(content)).rejects.toMatchObject({
      code: 'timelineUnusable',
      message: expect.stringContaining('not a timeline'),
    });
  });
});

describe('rc-engine inspect', () => {
  it('a missing file, a directory and a wrong port lead to an exit code and one sentence without a stack trace', async () => {
    const directory = await tmpFolder();
    await mkdir(join(directory, 'dir'));
    for (const [args, code, message] of [
      [['inspect', join(directory, 'none')], 1, 'cannot be read (ENOENT)'],
      [['inspect', join(directory, 'dir')], 1, 'cannot be read (EISDIR)'],
      [['inspect', await fileOf(recordedTimeline(CHARTS))], 1, 'whose chart toggle'],
      [['inspect', 'x', '--port', '99999'], 2, '--port must be'],
      [['inspect'], 2, ''],
      [['start', '--inspect=99999'], 2, '--inspect must be a port'],
      [['start', '--inspect=often'], 2, '--inspect must be a port'],
      [
        ['start', '--inspect=stately:99999'],
        2,
        '--inspect must be a port (0 for any free one), stately, or stately:PORT',
      ],
      [
        ['start', '--inspect=stately:'],
        2,
        '--inspect must be a port (0 for any free one), stately, or stately:PORT',
      ],
      [['start', '--inspect=https://stately.ai'], 2, '--inspect must be a port'],
    ] as const) {
      const result = await cli(args, { HOME: directory });
      expect(result.code, args.join(' ')).toBe(code);
      expect(result.stderr).toContain(message);
      expect(result.stderr).not.toMatch(/\n\s+at /);
    }
  });
});
