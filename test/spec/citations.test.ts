/** The specification in docs/spec and the rest of the repository agree about requirement numbers. */
import { describe, expect, it } from 'vitest';
import { MODELS } from '../../src/testing/charts/index.js';
import { pathsByRequirement, requirementsDocument } from './coverage.js';
import { commentsIn, descriptionsIn, readFiles } from './repository.js';
import {
  citationsIn,
  compareIds,
  DOCUMENTS,
  definitionsIn,
  isNumberAlone,
  type Prefix,
  prefixOf,
} from './requirements.js';

/** The samples below are no citations. */
const THIS_FILE = 'test/spec/citations.test.ts';

/** Something in a file does: whatever consists of numbers begins with one, and few files need to be parsed. */
const BEGINS_WITH_NUMBER = /(?:\/\/|\*|['"`])[\s*(]*(?:see\s+)?(?:RC|WSA|ACC|HUB)-\d/i;

const definitions = readFiles('docs/spec').flatMap(({ path, text }) => definitionsIn(path, text));
const defined = new Set(definitions.map(({ id }) => id));

const citing = readFiles(
  ...['machines', 'src', 'test', 'scripts', 'bench', 'docs'],
  ...['README.md', 'SECURITY.md', 'CHANGELOG.md', 'CONTRIBUTING.md'],
).filter(({ path }) => path !== THIS_FILE);

describe('requirement numbers', () => {
  it('each is defined once, in the document of its prefix', () => {
    const wrong = definitions.filter(
      ({ id, path }, index) =>
        path !== DOCUMENTS[prefixOf(id) as Prefix] || definitions.findIndex((one) => one.id === id) !== index,
    );
    expect(wrong).toEqual([]);
    for (const prefix of Object.keys(DOCUMENTS)) {
      expect(definitions.filter(({ id }) => prefixOf(id) === prefix).length).toBeGreaterThan(20);
    }
  });

  it('each that is cited exists', () => {
    const unknown = citing.flatMap(({ path, text }) =>
      citationsIn(text, defined).flatMap(({ ids, line }) =>
        ids.filter((id) => !defined.has(id)).map((id) => `${path}:${line} cites ${id}`),
      ),
    );
    expect(unknown).toEqual([]);
  });

  it('none is all that a comment or a chart description says', () => {
    const alone = citing
      .filter(({ path, text }) => /^(?:machines|src)\/.*\.ts$/.test(path) && BEGINS_WITH_NUMBER.test(text))
      .flatMap((file) =>
        [...commentsIn(file), ...descriptionsIn(file)]
          .filter(({ text }) => isNumberAlone(text))
          .map(({ line, text }) => `${file.path}:${line} says only "${text}"`),
      );
    expect(alone).toEqual([]);
  });

  it('each is cited by a test', () => {
    const cited = new Set(
      citing
        .filter(({ path }) => path.startsWith('test/'))
        .flatMap(({ text }) => citationsIn(text, defined).flatMap(({ ids }) => ids)),
    );
    expect([...defined].filter((id) => !cited.has(id)).sort(compareIds)).toEqual([]);
  });
});

describe('docs/requirements.md', () => {
  const specification = [
    {
      path: 'docs/spec/remote-control.md',
      text: '- RC-1 The first `one`. More.\n- RC-2 The second\n  one.\n',
    },
  ];
  const tests = [{ path: 'test/net/target.test.ts', text: "it('RC-1 … RC-2: …')" }];

  it('lists the tests and the scenarios of each requirement', () => {
    const paths = new Map([['RC-2', new Map([['link', [1, 2, 3, 7]]])]]);
    expect(requirementsDocument(specification, tests, paths).split('\n')).toEqual(
      expect.arrayContaining([
        'Each requirement has a test.',
        '| [RC-1](spec/remote-control.md) | The first `one`. | [net/target](../test/net/target.test.ts) |  |',
        '| [RC-2](spec/remote-control.md) | The second one. | [net/target](../test/net/target.test.ts) | ' +
          '[link](../visualizations/link.scenarios.md) 1–3, 7 |',
      ]),
    );
  });

  it('names the requirements without a test', () => {
    const text = requirementsDocument(specification, [], new Map());
    expect(text).toContain('2 have no test: RC-1, RC-2.');
    expect(text).toContain('| The second one. | none |  |');
  });

  it('knows the scenarios that take a transition which cites a number', () => {
    const { virtualClient } = MODELS;
    const shown =
      pathsByRequirement(defined, { virtualClient: virtualClient! }).get('RC-34')?.get('virtualClient') ?? [];
    expect(shown.length).toBeGreaterThan(0);
  });
});

describe('how they are read', () => {
  const known = new Set(['RC-1', 'RC-2', 'RC-2a', 'RC-3', 'RC-10']);
  const idsIn = (text: string) => citationsIn(text, known).flatMap(({ ids }) => ids);

  it.each([
    ['RC-2a, RC-10: one after the other', ['RC-2a', 'RC-10']],
    ['(RC-1 … RC-3)', ['RC-1', 'RC-2', 'RC-2a', 'RC-3']],
    ['RC-1 to RC-3', ['RC-1', 'RC-2', 'RC-2a', 'RC-3']],
    ['RC-2a … 3', ['RC-2a', 'RC-3']],
    ['RC-3 … RC-5', ['RC-3', 'RC-4', 'RC-5']],
    ['RC-2 to 30 s later', ['RC-2']],
    ['RC-1, 30 s', ['RC-1']],
    ['XRC-1 and ARC-2', []],
  ])('%s', (text, ids) => {
    expect(idsIn(text)).toEqual(ids);
  });

  it('a definition is a list item that begins with the number', () => {
    const text = 'RC-9 is none\n- RC-1 one\n- **RC-2a** two\n  RC-3 goes on\n';
    expect(definitionsIn('a.md', text)).toEqual([
      { id: 'RC-1', path: 'a.md', line: 2 },
      { id: 'RC-2a', path: 'a.md', line: 3 },
    ]);
  });

  it.each([
    'RC-5',
    'RC-5.',
    'RC-5, RC-6',
    'WSA-8, 13, 16',
    'RC-5 … RC-9',
    'ACC-64 to ACC-67',
    '(see RC-5 and WSA-2)',
  ])('%s is a number alone', (text) => {
    expect(isNumberAlone(text)).toBe(true);
  });

  it.each(['A clean close. RC-16', '401 or 403. RC-19', '409, 30 s', '', '--'])('"%s" is not', (text) => {
    expect(isNumberAlone(text)).toBe(false);
  });

  it('finds comments of every kind, and nothing in strings, templates and regular expressions', () => {
    const text = [
      '/** RC-1 */',
      "const a = '/* no */'; // after it",
      '// two lines,',
      '  // RC-2',
      ['const b = `// ', '{/* inside */ a} no`;'].join('$'),
      'const c = { /**',
      '   * in an object',
      '   */ d: /[/]* no/ };',
      'function e() {',
      '  // before the end',
      '}',
    ].join('\n');
    expect(commentsIn({ path: 'a.ts', text })).toEqual([
      { line: 1, text: 'RC-1' },
      { line: 2, text: 'after it two lines, RC-2' },
      { line: 5, text: 'inside' },
      { line: 6, text: 'in an object' },
      { line: 10, text: 'before the end' },
    ]);
  });

  it('finds descriptions, in one line or several', () => {
    const text = "const a = { b: [{ description: 'RC-1' }, {\n  description:\n    'A close. RC-2',\n}] };";
    expect(descriptionsIn({ path: 'a.ts', text })).toEqual([
      { line: 1, text: 'RC-1' },
      { line: 2, text: 'A close. RC-2' },
    ]);
  });
});
