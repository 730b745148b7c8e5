import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EnrollmentKey } from '../../../src/protocol/outcomes.js';
import {
  decodeRecord,
  encodeStored,
  recordName,
  toStored,
} from '../../../src/remote-control/store/enrollment-record.js';

const part = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('|', '%', '=', 'a', 'client', '\ud800', '\udc00', '\0', '0025', ':') }),
);
const anyKey: fc.Arbitrary<EnrollmentKey> = fc.record({
  socketUrl: part,
  accountId: part,
  clientName: fc.option(part),
});

describe('name of a record', () => {
  it('RC-5: is readable', () => {
    expect(
      recordName({ socketUrl: 'wss://chatgpt.com/a/server', accountId: 'acc-1', clientName: 'my app' }),
    ).toBe('url=wss://chatgpt.com/a/server|account=acc-1|client=my app');
    expect(recordName({ socketUrl: 'wss://h/s', accountId: 'acc-1', clientName: null })).toBe(
      'url=wss://h/s|account=acc-1|client',
    );
  });

  it('RC-5: differs for any two different keys, also after encoding as UTF-8', () => {
    const stored = (key: EnrollmentKey) => Buffer.from(recordName(key), 'utf8').toString('hex');
    fc.assert(
      fc.property(anyKey, anyKey, (a, b) => {
        const same =
          a.socketUrl === b.socketUrl && a.accountId === b.accountId && a.clientName === b.clientName;
        expect(stored(a) === stored(b)).toBe(same);
      }),
      { numRuns: 2_000 },
    );
  });

  it('RC-5: a key without a client name differs from one with an empty name or a similar one', () => {
    const key = { socketUrl: 'wss://h/s', accountId: 'a' };
    const names = [null, '', 'none', 'null', 'client'].map((clientName) =>
      recordName({ ...key, clientName }),
    );
    expect(new Set(names).size).toBe(5);
  });
});

describe('stored record', () => {
  const enrollment = { serverId: 's', environmentId: 'e', serverName: 'n' };

  it('RC-5: contains exactly the three ids, the preference and a schema version', () => {
    expect(JSON.parse(encodeStored(toStored({ enrollment, preference: 'on' })))).toEqual({
      value: { schema: 1, server_id: 's', environment_id: 'e', server_name: 'n', preference: 'on' },
    });
  });

  it('RC-5: reads what was written', () => {
    const text = fc.string({ minLength: 1, unit: 'binary' });
    fc.assert(
      fc.property(
        fc.option(fc.record({ serverId: text, environmentId: text, serverName: text })),
        fc.constantFrom('unset', 'on', 'off'),
        (stored, preference) => {
          const record = { enrollment: stored, preference } as const;
          expect(decodeRecord(encodeStored(toStored(record)))).toEqual(record);
        },
      ),
    );
  });

  it('RC-6: an id that could not be read again is refused on write', () => {
    expect(() => toStored({ enrollment: { ...enrollment, serverId: '' }, preference: 'on' })).toThrow();
  });

  const good = { schema: 1, server_id: 's', environment_id: 'e', server_name: 'n', preference: 'on' };
  it.each([
    ['nothing', ''],
    ['null', 'null'],
    ['a bare value', JSON.stringify(good)],
    ['an empty envelope', '{}'],
    ['a null value', '{"value":null}'],
    ['an expiry', JSON.stringify({ value: good, expires: 1 })],
    ['cut-off JSON', JSON.stringify({ value: good }).slice(0, -3)],
    ['a lost id', JSON.stringify({ value: { ...good, server_id: null } })],
    ['an empty id', JSON.stringify({ value: { ...good, server_id: '' } })],
    ['a missing id', JSON.stringify({ value: { ...good, environment_id: undefined } })],
    ['a number for an id', JSON.stringify({ value: { ...good, server_id: 5 } })],
    ['an unknown preference', JSON.stringify({ value: { ...good, preference: 'yes' } })],
    ['a key more', JSON.stringify({ value: { ...good, remote_control_token: 't' } })],
    ['no version', JSON.stringify({ value: { ...good, schema: undefined } })],
  ])('RC-6: %s is damage, never a missing record', (_, raw) => {
    expect(decodeRecord(raw)).toEqual({ damage: expect.stringContaining('record that is') });
  });

  it('RC-6: the message names a record of a newer version', () => {
    expect(decodeRecord(JSON.stringify({ value: { ...good, schema: 2, more: 1 } }))).toEqual({
      damage: 'contains a record that a newer version of rc-engine has written',
    });
  });
});
