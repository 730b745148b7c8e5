import { createAuthFile } from '../adapters/auth-file.js';
import type { Env } from '../protocol/timing.js';
import type { AccountPort } from './account-port.js';
import type { EngineLogger } from './logger.js';

/** The account of an auth.json that other programs write. Recovery: read it again, then there are no more steps. */
export function fileAccount(path: string, env: Env, log: EngineLogger): AccountPort {
  let tell: ((account: Parameters<Parameters<AccountPort['watch']>[0]>[0]) => void) | undefined;
  const file = createAuthFile({
    path,
    now: env.now,
    onChange: (change) => {
      log.info({ path, change: change.kind }, 'the account file changed');
      if (change.kind === 'usable') tell?.(change.account);
    },
  });
  let reloaded = false;
  return {
    load: () => file.load(),
    reload: () => {
      reloaded = false;
      return file.reload({ guarded: false });
    },
    recover: async () => {
      if (!reloaded) {
        reloaded = true;
        // Only the same account is taken here; another one is taken when recovery is used up. RC-26, RC-28
        const outcome = await file.reload({ guarded: true });
        if (outcome.kind === 'usable') return { kind: 'recovered', account: outcome.account };
      }
      return {
        kind: 'exhausted',
        failure: {
          reason: 'authRejected',
          message: `The backend refuses the access token in ${path}, and it is the newest one there.`,
          at: env.now(),
        },
      };
    },
    succeeded: () => {
      reloaded = false;
    },
    accessToken: () => file.accessToken(),
    get differsOnDisk() {
      return file.differsOnDisk;
    },
    watch: (onChange) => {
      tell = onChange;
      file.watch();
    },
    close: () => file.close(),
  };
}
