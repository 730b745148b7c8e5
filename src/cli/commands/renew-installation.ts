import { openHome } from '../../home/home.js';
import { acquireHomeLock } from '../../home/home-lock.js';
import { loadInstallationId, renewInstallationId } from '../../home/installation.js';
import { EngineError } from '../../protocol/errors.js';
import { VERSION } from '../../protocol/version.js';
import { openEnrollmentStore } from '../../remote-control/store/enrollment-store.js';
import { EXIT, printJson } from '../output/output.js';
import { resolveStartSettings } from '../settings/settings.js';

/** The last step of a repair, on a home that no engine runs on: a new installation id, and no identity. RC-24 */
export async function renewInstallation(args: {
  readonly home?: string | undefined;
  readonly store?: string | undefined;
  readonly json?: boolean | undefined;
}): Promise<number> {
  const home = openHome(args.home);
  const settings = await resolveStartSettings({ store: args.store }, process.env, home.configFile);
  // So that no engine starts in between with the old one.
  const lock = await acquireHomeLock(home, {
    startedAt: Date.now(),
    controlSocket: home.controlSocket,
    version: VERSION,
  });
  try {
    // First: the backend would refuse an identity that was made for another installation.
    await forgetIdentities(settings.store ?? home.storeUrl);
    const old = await loadInstallationId(home).catch(() => null);
    const fresh = await renewInstallationId(home);
    if (args.json === true) {
      printJson({ type: 'repaired', step: 'installation-id', installationId: fresh, oldInstallationId: old });
    } else {
      const was = old === null ? '' : ` (it was ${old})`;
      process.stdout.write(
        `The installation id is ${fresh} now${was}, and the stored identities are forgotten.\nStart the engine again: rc-engine start\n`,
      );
    }
    return EXIT.ok;
  } finally {
    await lock.release();
  }
}

async function forgetIdentities(url: string): Promise<void> {
  const store = openEnrollmentStore(url, { now: () => Date.now() });
  if (store.kind === 'none') return;
  try {
    const outcome = await store.clearAll();
    if (outcome.kind === 'failed') {
      throw new EngineError(outcome.failure.reason, `${outcome.failure.message} Nothing was changed.`);
    }
  } finally {
    await store.close();
  }
}
