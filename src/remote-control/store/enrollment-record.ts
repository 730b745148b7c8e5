/** The records of the enrollment store, and their names. */
import * as v from 'valibot';
import type { Enrollment, EnrollmentKey, Preference } from '../../protocol/outcomes.js';

const SCHEMA_VERSION = 1;

/** Everything that is stored for one account on one target. RC-5, RC-44 */
export interface EnrollmentRecord {
  readonly enrollment: Enrollment | null;
  readonly preference: Preference;
}

const filled = v.pipe(v.string(), v.minLength(1));
const preference = v.picklist(['unset', 'on', 'off'] satisfies Preference[]);

const storedSchema = v.union([
  v.strictObject({
    schema: v.literal(SCHEMA_VERSION),
    server_id: filled,
    environment_id: filled,
    server_name: filled,
    preference,
  }),
  v.strictObject({
    schema: v.literal(SCHEMA_VERSION),
    server_id: v.null(),
    environment_id: v.null(),
    server_name: v.null(),
    preference,
  }),
]);

/** A record in its stored form. */
export type StoredRecord = v.InferOutput<typeof storedSchema>;

/** Keyv stores each value in this envelope. */
const envelopeSchema = v.strictObject({ value: storedSchema });
const newerSchema = v.object({ value: v.object({ schema: v.pipe(v.number(), v.gtValue(SCHEMA_VERSION)) }) });

/** Throws for a record that could not be read again: an empty id must fail here, not at the next start. */
export function toStored({ enrollment, preference }: EnrollmentRecord): StoredRecord {
  return v.parse(storedSchema, {
    schema: SCHEMA_VERSION,
    server_id: enrollment?.serverId ?? null,
    environment_id: enrollment?.environmentId ?? null,
    server_name: enrollment?.serverName ?? null,
    preference,
  });
}

/** The text in the database, the same as Keyv writes. */
export function encodeStored(stored: StoredRecord): string {
  return JSON.stringify({ value: stored });
}

/** The record, or a phrase without its content that says why it is invalid. RC-6 */
export function decodeRecord(raw: string): EnrollmentRecord | { readonly damage: string } {
  let json: unknown;
  try {
    json = JSON.parse(raw);
  } catch {
    return { damage: 'contains a record that is not valid JSON' };
  }
  const parsed = v.safeParse(envelopeSchema, json);
  if (!parsed.success) {
    if (v.is(newerSchema, json))
      return { damage: 'contains a record that a newer version of rc-engine has written' };
    return { damage: 'contains a record that is damaged or was written by another program' };
  }
  const stored = parsed.output.value;
  return {
    enrollment:
      stored.server_id === null
        ? null
        : {
            serverId: stored.server_id,
            environmentId: stored.environment_id,
            serverName: stored.server_name,
          },
    preference: stored.preference,
  };
}

/**
 * The name of a record: readable, and different for any two keys. Separators, the escape character, control characters
 * and lone surrogates (which UTF-8 cannot represent) are escaped. RC-5
 */
export function recordName(key: EnrollmentKey): string {
  const client = key.clientName === null ? 'client' : `client=${escapePart(key.clientName)}`;
  return `url=${escapePart(key.socketUrl)}|account=${escapePart(key.accountId)}|${client}`;
}

const ESCAPED = /[%|\p{Cc}\p{Cs}]/gu;

function escapePart(text: string): string {
  return text.replace(ESCAPED, (char) => `%${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
