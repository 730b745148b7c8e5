import * as v from 'valibot';
import type { NatsLink } from './nats.js';

/** The answer of each server to `JSZ`, as far as it is used. Servers before 2.10 do not have the setting. */
const JszSchema = v.object({
  data: v.object({ config: v.object({ sync_always: v.optional(v.boolean()) }) }),
});
const ASK_TIMEOUT = 1_000;
/** The first version with `sync_interval`. */
const FIRST = [2, 10] as const;

const ADVICE =
  'the last two minutes of the state may be lost when all brokers lose power at once; set sync_interval: always in the section jetstream of each nats-server';

/**
 * Whether the broker writes each change to the disk before it confirms it: a warning for people when it does not, or when that
 * is not known. Only a user of the system account may ask the servers; for others the version decides.
 */
export async function durabilityWarning({ connection }: NatsLink): Promise<string | undefined> {
  const version = connection.info?.version ?? '';
  const always = await syncsAlways(connection);
  if (always === true) return undefined;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < FIRST[0] || (major === FIRST[0] && minor < FIRST[1]))
    return `${ADVICE} (it needs nats-server 2.10; this one is ${version})`;
  return always === false ? ADVICE : `sync_interval of nats-server is not known to this user: ${ADVICE}`;
}

/** Undefined: the servers do not say it to this user. */
async function syncsAlways(connection: NatsLink['connection']): Promise<boolean | undefined> {
  try {
    const options = { strategy: 'timer', maxWait: ASK_TIMEOUT } as const;
    const replies = await connection.requestMany('$SYS.REQ.SERVER.PING.JSZ', '{"config":true}', options);
    let always: boolean | undefined;
    for await (const reply of replies) {
      const parsed = v.safeParse(JszSchema, reply.json());
      if (parsed.success) always = parsed.output.data.config.sync_always === true && always !== false;
    }
    return always;
  } catch {
    return undefined;
  }
}
