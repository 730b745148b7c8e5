/**
 * The readers of the program against JSON.parse, on random input with a seed. `.ci/run` gives the date as the seed
 * (RC_TEST_SEED) and 30 s (RC_FUZZ_SECONDS); without them each target has 2 s.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EnvelopeScan } from '../../src/protocol/envelope-scan.js';
import { memberText, repeatedMember, topLevelMembers } from '../../src/protocol/json-members.js';
import { scanMessage } from '../../src/protocol/message-scan.js';
import { signIn, writeAuth } from '../support/auth.js';
import { CliProcess } from '../support/cli.js';
import { HostileBackend } from '../support/hostile-backend.js';
import { random, SEED } from '../support/hostile-peers.js';
import { tmpFolder } from '../support/tmp.js';

const TARGETS = 2;
const SECONDS = Number(process.env.RC_FUZZ_SECONDS ?? 2 * TARGETS) / TARGETS;
const LIMIT = { timeout: SECONDS * 1_000 + 60_000 };

/** A value as JSON text, spelled in one of many ways. */
interface Spelled {
  readonly text: string;
}
interface SpelledObject extends Spelled {
  /** Each member in order: the name as it is read, and the value as it is written. */
  readonly members: readonly (readonly [name: string, value: string])[];
}

const space = fc.constantFrom('', '', '', ' ', '\n\t', '\r\n  ');
const stringText = fc
  .array(
    fc.constantFrom(
      'a',
      'id',
      'method',
      ' ',
      '\\n',
      '\\u0041',
      '\\"',
      '\\\\',
      '\\/',
      'é',
      '😀',
      '\\ud83d',
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '\u2028',
    ),
    { maxLength: 6 },
  )
  .map((parts) => `"${parts.join('')}"`);
const nameText = fc.oneof(
  fc.constantFrom(
    '"id"',
    '"i\\u0064"',
    '"ID"',
    '"method"',
    '"m\\u0065thod"',
    '"Method"',
    '"params"',
    '"param\u017f"',
  ),
  fc.constantFrom(
    '"result"',
    '"error"',
    '"message"',
    '"mess\\u0061ge"',
    '"jsonrpc"',
    '"__proto__"',
    '"constructor"',
    '""',
  ),
  stringText,
);
const scalarText = fc.oneof(
  fc.constantFrom(
    'null',
    'true',
    'false',
    '0',
    '-0',
    '1',
    '-1.5e+3',
    '1E5',
    '9007199254740993',
    '1e400',
    '{}',
    '[]',
  ),
  stringText,
);

const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalarText,
    fc
      .array(fc.tuple(tie('value'), space, space), { maxLength: 3 })
      .map((all) => `[${all.map(([one, before, after]) => before + one + after).join(',')}]`),
    fc
      .array(fc.tuple(nameText, tie('value'), space, space), { maxLength: 3 })
      .map((all) => `{${all.map(([name, one, a, b]) => `${a}${name}${b}:${a}${one}${b}`).join(',')}}`),
  ),
}));

const object: fc.Arbitrary<SpelledObject> = fc
  .tuple(fc.array(fc.tuple(nameText, value, space, space), { maxLength: 7 }), space, space)
  .map(([all, before, after]) => ({
    text: `${before}{${all.map(([name, one, a, b]) => `${a}${name}${b}:${b}${one}${a}`).join(',')}${after}}${before}`,
    members: all.map(([name, one]) => [String(JSON.parse(name)), one]),
  }));

const read = (text: string): Readonly<Record<string, unknown>> =>
  JSON.parse(text) as Readonly<Record<string, unknown>>;

/** What `JSON.parse` takes for the member: the last one of that name. */
const lastOf = ({ members }: SpelledObject, name: string): string | undefined =>
  members.filter(([one]) => one === name).at(-1)?.[1];

const isRepeated = (names: readonly string[]): boolean => new Set(names).size < names.length;

function check(property: fc.IProperty<[SpelledObject]> | fc.IProperty<[string]>): void {
  const budget = { interruptAfterTimeLimit: SECONDS * 250, markInterruptAsFailure: false };
  fc.assert(property as fc.IProperty<[unknown]>, { seed: SEED, numRuns: 10_000_000, ...budget });
}

describe(`the readers of JSON text (seed ${SEED})`, LIMIT, () => {
  it('WSA-33: scanMessage finds the members that JSON.parse takes, and says when others could read others', () => {
    check(
      fc.property(object, (made) => {
        const scan = scanMessage(made.text);
        if (typeof scan === 'string') throw new Error(`read as ${scan}`);
        const whole = read(made.text);
        for (const name of ['id', 'method', 'params'] as const) {
          const span = scan[name];
          expect(span !== undefined).toBe(Object.hasOwn(whole, name));
          if (span !== undefined) expect(made.text.slice(span.start, span.end)).toBe(lastOf(made, name));
        }
        expect([scan.hasResult, scan.hasError]).toEqual(
          ['result', 'error'].map((name) => Object.hasOwn(whole, name)),
        );
        const folded = made.members.map(([name]) => name.toUpperCase().toLowerCase());
        const known = ['id', 'method', 'params', 'result', 'error'];
        const otherCase = made.members.some(
          ([name], n) => name !== folded[n] && known.includes(folded[n] ?? ''),
        );
        expect(scan.ambiguous !== null).toBe(isRepeated(folded) || otherCase);
      }),
    );
  });

  it('WSA-33: a text with one character more, less or other is JSON for scanMessage when it is for JSON.parse', () => {
    const changed = fc
      .tuple(object, fc.nat(), fc.constantFrom(...'"\\{}[],:0.-+eu \u0000x'))
      .chain(([{ text }, place, char]) => {
        const at = place % (text.length + 1);
        return fc.constantFrom(
          text.slice(0, at) + char + text.slice(at),
          text.slice(0, at) + char + text.slice(at + 1),
          text.slice(0, at) + text.slice(at + 1),
        );
      });
    check(
      fc.property(changed, (text) => {
        let isJson = true;
        try {
          JSON.parse(text);
        } catch {
          isJson = false;
        }
        expect(scanMessage(text) === 'notJson', text).toBe(!isJson);
      }),
    );
  });

  it('WSA-25: the members of a text are cut out as they are written', () => {
    check(
      fc.property(object, (made) => {
        const names = made.members.map(([name]) => name);
        for (const name of ['message', 'id', '__proto__'])
          expect(memberText(made.text, name)).toBe(lastOf(made, name));
        expect(repeatedMember(made.text) !== undefined).toBe(isRepeated(names));
        const lower = names.map((name) => name.toLowerCase());
        expect(repeatedMember(made.text, { ignoreCase: true }) !== undefined).toBe(isRepeated(lower));
        const found = topLevelMembers(made.text);
        expect(found === undefined).toBe(isRepeated(names));
        if (found !== undefined) expect([...found]).toEqual(made.members);
      }),
    );
  });

  it('WSA-24: the id and the kind of a message that is too large are read, however it arrives', () => {
    check(
      fc.property(object, (made) => {
        const scan = new EnvelopeScan();
        const bytes = Buffer.from(made.text);
        for (let at = 0; at < bytes.length; at += 3) scan.feed(bytes.subarray(at, at + 3));
        const { envelope } = scan;
        if (envelope === undefined) return;
        // It may refuse to read one; what it reads must be right.
        const whole = read(made.text);
        expect(['string', 'number']).toContain(typeof whole.id);
        expect(envelope.id.trim()).toBe(lastOf(made, 'id'));
        const asks = typeof whole.method === 'string' || Object.hasOwn(whole, 'method');
        expect(envelope.kind).toBe(asks ? 'request' : 'response');
      }),
    );
  });
});

const APP_SERVER = `
let buffer = '';
process.stdin.setEncoding('utf8').on('data', (text) => {
  buffer += text;
  for (let end = buffer.indexOf('\\n'); end >= 0; end = buffer.indexOf('\\n')) {
    const line = buffer.slice(0, end);
    buffer = buffer.slice(end + 1);
    require('node:fs').appendFileSync(process.argv[1], line + '\\n');
    const { id } = JSON.parse(line);
    if (id !== undefined) process.stdout.write(JSON.stringify({ id, result: {} }) + '\\n');
  }
});
process.stdin.on('end', () => process.exit(0));
`;

describe(`frames of the backend (seed ${SEED})`, LIMIT, () => {
  it('RC-40: what of a frame reaches the app server is the message that JSON.parse reads in it, in order', async () => {
    const backend = await HostileBackend.open();
    const home = await tmpFolder();
    const log = join(home, 'app-server.log');
    await writeFile(log, '');
    await writeAuth(join(home, 'auth.json'), signIn('account-A').json);
    const command = ['--', process.execPath, '-e', APP_SERVER, log];
    const quiet = ['--listen', 'off', '--log-level', 'silent', '--json'];
    const engine = new CliProcess(['start', '--home', home, '--base-url', backend.url, ...quiet, ...command]);
    try {
      await engine.connected();
      const { socket } = await backend.openLink();
      // The engine reads no more from an app server whose frames nobody acknowledges (RC-36).
      let answered = 0;
      let wake = () => {};
      socket.on('message', (data: Buffer) => {
        const { type, client_id, stream_id, seq_id } = read(data.toString());
        if (type !== 'server_message') return;
        socket.send(JSON.stringify({ type: 'ack', client_id, stream_id, seq_id }));
        answered += 1;
        wake();
      });
      const next = async (count: number, what: string) => {
        const end = Date.now() + 20_000;
        while (answered < count) {
          if (Date.now() > end) throw new Error(`no answer to ${what}: ${answered} of ${count}`);
          await new Promise<void>((resolve) => {
            wake = resolve;
            setTimeout(resolve, 1_000);
          });
        }
      };
      const first = { id: 1, method: 'initialize', params: { clientInfo: { name: 'x', version: '1' } } };
      socket.send(
        JSON.stringify({ type: 'client_message', client_id: 'c', stream_id: 's', seq_id: 1, message: first }),
      );
      await next(1, 'initialize');
      const before = answered;
      const wanted: unknown[] = [];
      const end = Date.now() + SECONDS * 1_000;
      for (let batch = 0; Date.now() < end; batch += 1) {
        const sent: string[] = [];
        for (const made of fc.sample(fc.tuple(object, object), { seed: SEED + batch, numRuns: 50 })) {
          const seq = before + wanted.length + 1;
          const text = frameText(seq, made, random(SEED + seq));
          wanted.push(read(text).message);
          sent.push(text);
        }
        for (const text of sent) socket.send(text);
        await next(before + wanted.length, sent[0] ?? '');
      }
      const lines = (await readFile(log, 'utf8'))
        .split('\n')
        .filter((line) => line !== '')
        .slice(1);
      expect(lines.length).toBe(wanted.length);
      for (const [n, line] of lines.entries()) {
        if (!isDeepStrictEqual(JSON.parse(line), wanted[n])) expect(JSON.parse(line)).toEqual(wanted[n]);
      }
      expect(wanted.length).toBeGreaterThan(20);
    } finally {
      await engine.stop();
      await backend.close();
    }
  });
});

/** A frame with a request: members of any kind in it and around it, those that count last or in random order. */
function frameText(
  seq: number,
  [inner, outer]: readonly [SpelledObject, SpelledObject],
  rnd: (below: number) => number,
): string {
  const shuffled = (parts: readonly string[]): string[] =>
    parts
      .map((part) => [rnd(1_000), part] as const)
      .sort((a, b) => a[0] - b[0])
      .map(([, part]) => part);
  const pick = (...spellings: string[]): string => spellings[rnd(spellings.length)] ?? '';
  const others = ({ members }: SpelledObject, taken: readonly string[]): string[] =>
    members
      .filter(([name], n) => {
        const folded = name.toUpperCase().toLowerCase();
        const before = members.slice(0, n).map(([one]) => one.toUpperCase().toLowerCase());
        return !taken.includes(folded) && !before.includes(folded);
      })
      .map(([name, one]) => `${JSON.stringify(name)}:${one}`);
  // Members that would make the message another one, or ambiguous, are left out.
  const message = shuffled([
    ...others(inner, ['id', 'method', 'params', 'result', 'error']),
    `${pick('"method"', '"m\\u0065thod"')} : "safe/x"`,
    `"id":${seq}`,
    `"params":${inner.members[0]?.[1] ?? '{}'}`,
  ]);
  const members = [
    ...others(outer, ['type', 'client_id', 'stream_id', 'seq_id', 'cursor', 'message']),
    '"type":"client_message"',
    '"client_id":"c"',
    `"stream_id":${pick('"s"', '"\\u0073"')}`,
    `"seq_id":${seq}`,
    `"cursor":"c${seq}"`,
    `${pick('"message"', '"mess\\u0061ge"')}${pick('', ' ', '\n')}:${pick('', '\t')}{${message.join(pick(',', ' , '))}}`,
  ];
  return `{${shuffled(members).join(pick(',', ',\n'))}}`;
}
