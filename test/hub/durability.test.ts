/** What a node says about a broker that may lose the last changes. The servers of these tests are real; their answer is not. */
import { afterEach, describe, expect, it } from 'vitest';
import { connectNats, type NatsLink } from '../../src/hub/nats.js';
import { durabilityWarning } from '../../src/hub/nats-durability.js';
import { NatsServer, noNats } from '../support/nats-server.js';

describe.skipIf(noNats !== '')(`the warning about sync_interval${noNats}`, () => {
  let link: NatsLink | undefined;

  afterEach(() => link?.close());

  /** @param answers what each of two servers says */
  async function warningWith(...answers: readonly unknown[]): Promise<string | undefined> {
    const server = await NatsServer.start();
    link = await connectNats({ servers: server.url, name: 'test' });
    for (const config of answers) {
      link.connection.subscribe('$SYS.REQ.SERVER.PING.JSZ', {
        callback: (_error, message) => {
          message.respond(JSON.stringify({ data: { config } }));
        },
      });
    }
    return await durabilityWarning(link);
  }

  it('HUB-37: nothing when every server writes each change', async () => {
    expect(await warningWith({ sync_always: true }, { sync_always: true })).toBeUndefined();
  });

  it('HUB-37: names the setting when one of the servers does not', async () => {
    expect(await warningWith({ sync_always: true }, { sync_interval: 120 })).toContain(
      'sync_interval: always',
    );
  });

  it('HUB-37: says so when the servers do not tell', async () => {
    expect(await warningWith()).toMatch(/sync_interval|2\.10/);
  });
});
