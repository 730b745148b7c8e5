import { acquireHomeLock } from '../engine/home-lock.js';
import { openHome } from '../home/home.js';
import { loadInstallationId, renewInstallationId } from '../home/installation.js';
import { EngineError } from '../protocol/errors.js';
import { VERSION } from '../protocol/version.js';
import { openEnrollmentStore } from '../remote-control/store/enrollment-store.js';
import { resolveStartSettings } from './settings/resolve-settings.js';

interface RenewedInstallation {
  readonly installationId: string;
  /** Null when there was no valid one. */
  readonly oldInstallationId: string | null;
}

/**
 * The last step of `repair`, on a home directory without a running engine: creates a new installation id and removes
 * every stored identity. RC-24
 */
export async function renewInstallation(
  homeDir: string | undefined,
  storeFlag: string | undefined,
): Promise<RenewedInstallation> {
  const home = openHome(homeDir);
  const settings = await resolveStartSettings({ store: storeFlag }, process.env, home.configFile);
  // No engine may start meanwhile with the old id.
  const lock = await acquireHomeLock(home, {
    startedAt: Date.now(),
    controlSocket: home.controlSocket,
    version: VERSION,
  });
  try {
    // First: the backend would refuse an identity that was made for another installation.
    await clearIdentities(settings.store ?? home.storeUrl);
    const oldInstallationId = await loadInstallationId(home).catch(() => null);
    return { installationId: await renewInstallationId(home), oldInstallationId };
  } finally {
    await lock.release();
  }
}

async function clearIdentities(storeUrl: string): Promise<void> {
  const store = openEnrollmentStore(storeUrl, { now: () => Date.now() });
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
