/** The records between nodes come back as they were written; anything else is ignored. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeRecord, encodeRecord, type HubRecord } from '../../src/hub/relay/records.js';

const count = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const text = fc.string({ unit: 'grapheme' });
const route = { epoch: count, route: text };
const frame = fc.record({
  ...{ seqId: count, segmentId: count, last: fc.boolean(), body: text },
  use: fc.constantFrom('message', 'auto', 'close'),
});
const next = fc.constantFrom('go', 'again', 'pause');
const records: fc.Arbitrary<HubRecord> = fc.oneof(
  fc.record({ kind: fc.constantFrom('up', 'down'), ...route, n: count, frame }),
  fc.record({
    ...{ kind: fc.constant('open'), ...route, node: text, clientId: text, streamId: text },
    session: fc.option(fc.integer({ min: 1 }), { nil: undefined }),
    started: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('detach'), ...route }),
  fc.record({ kind: fc.constant('opened'), ...route, state: fc.constantFrom('known', 'new') }),
  fc.record({ kind: fc.constant('ended'), ...route, code: count, reason: text }),
  fc.record({
    ...{ kind: fc.constantFrom('upStatus', 'downStatus'), ...route },
    ...{ received: count, confirmed: count, next },
  }),
  fc.record({ kind: fc.constantFrom('upProbe', 'downProbe'), ...route, sent: count }),
  fc.record({ kind: fc.constant('owner'), epoch: count, node: text, connected: fc.boolean() }),
);

describe('a record between nodes', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(records, (record) => {
        expect(decodeRecord(encodeRecord(record))).toEqual(record);
      }),
    );
  });

  it('HUB-8: of any other form is ignored', () => {
    fc.assert(
      fc.property(fc.json(), (other) => {
        expect(decodeRecord(other)).toBeUndefined();
      }),
    );
    for (const other of ['', '[', '["up",1,"r",1]', '["owner",-1,"","n",true]', '["later",1,"r"]']) {
      expect(decodeRecord(other)).toBeUndefined();
    }
  });
});
