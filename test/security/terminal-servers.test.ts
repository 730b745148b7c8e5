/** What peers send to the embedded backend, and what a saved timeline holds, does not act on the terminal. RC-55 */
import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { CANARY, poisoned, unsafeParts } from '../support/canary.js';
import { it } from '../support/lab.js';

/** A C1 control character is allowed in a header. */
const HEADER_CANARY = 'MARK\u009b31m\u009d0;PWNED\u009c';

/** Enrolls with the canary in each header and member that a client chooses. */
function enroll(baseUrl: string): Promise<number> {
  const body = JSON.stringify({
    name: CANARY,
    os: CANARY,
    arch: CANARY,
    app_server_version: CANARY,
    installation_id: HEADER_CANARY,
  });
  return new Promise((resolve, reject) => {
    const request = http.request(
      `${baseUrl}/wham/remote/control/server/enroll`,
      {
        method: 'POST',
        agent: false,
        headers: {
          'content-type': 'application/json',
          authorization: 'Bearer x',
          'chatgpt-account-id': HEADER_CANARY,
          'x-codex-installation-id': HEADER_CANARY,
        },
      },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    );
    request.on('error', reject);
    // As bytes: with a text, Node would write the headers as UTF-8, too.
    request.end(Buffer.from(body));
  });
}

describe('the terminal', () => {
  it('RC-55: the lines of rc-engine backend show what a peer sent as escapes', async ({ lab }) => {
    for (const json of [[], ['--json']]) {
      const backend = lab.run(['backend', '--listen', 'http://127.0.0.1:0', ...json]);
      await backend.until(() => /http:\/\/127\.0\.0\.1:\d+/.test(backend.stdout), 'address');
      const [address = ''] = /http:\/\/127\.0\.0\.1:\d+[^\s"]*/.exec(backend.stdout) ?? [];
      expect(await enroll(address)).toBe(200);
      await backend.until(() => backend.stdout.includes('MARK'), 'canary');
      backend.child.kill('SIGINT');
      await backend.exited;
      expect(unsafeParts(backend.stdout + backend.stderr)).toEqual([]);
    }
  });

  it('RC-55: rc-engine inspect refuses a poisoned timeline in safe words', async ({ lab }) => {
    const file = join(lab.folder, 'timeline.json');
    for (const content of [
      CANARY,
      JSON.stringify(poisoned({ format: 'rc-engine timeline', entries: ['x'] })),
    ]) {
      await writeFile(file, content);
      const shown = await lab.cli(['inspect', file]);
      expect(shown.stdout + shown.stderr).not.toBe('');
      expect(unsafeParts(shown.stdout + shown.stderr)).toEqual([]);
    }
  });
});
