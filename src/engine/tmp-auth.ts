import { readFileSync } from 'node:fs';
import type { Account, AuthOutcome } from '../protocol/outcomes.js';
import { Secret } from '../protocol/secret.js';
export function createAuthFile(o: {
  path: string;
  now: () => number;
  onChange: (c: { kind: 'usable'; account: Account }) => void;
}) {
  let token: Secret | undefined;
  let account: Account | undefined;
  let gen = 0;
  let timer: NodeJS.Timeout | undefined;
  const read = (): AuthOutcome => {
    const at = o.now();
    let j: any;
    try {
      j = JSON.parse(readFileSync(o.path, 'utf8'));
    } catch {
      return { kind: 'unusable', failure: { reason: 'authMissing', message: `no ${o.path}`, at } };
    }
    if (!j.tokens) return { kind: 'unusable', failure: { reason: 'authApiKeyOnly', message: 'api key', at } };
    if (token?.reveal() !== j.tokens.access_token) gen += 1;
    token = new Secret(j.tokens.access_token);
    account = { accountId: j.tokens.account_id, generation: gen };
    return { kind: 'usable', account };
  };
  return {
    load: () => (account ? { kind: 'usable' as const, account } : read()),
    reload: (_: { guarded: boolean }) => read(),
    accessToken: () => token,
    differsOnDisk: false,
    watch: () => {
      timer = setInterval(() => {}, 1000);
      timer.unref();
    },
    close: () => clearInterval(timer),
  };
}
export const createWakeDetector = (_: { onWake: () => void }) => ({ close() {} });
export type WakeDetector = { close(): void };
