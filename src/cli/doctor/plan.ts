/** All checks of `rc-engine doctor`, in the order in which their causes lie: this machine, the engine, the network. */
import type { EngineStatus } from '../../engine/status.js';
import type { Home } from '../../home/home.js';
import { readCaCert } from '../../net/ca-certificates.js';
import { parseTarget } from '../../net/target.js';
import { EngineError } from '../../protocol/errors.js';
import { hubAccessOf } from '../hub-sign-in.js';
import { resolveStartSettings } from '../settings/resolve-settings.js';
import type { Check } from './check.js';
import { engineChecks, type GivenSignIn } from './engine-checks.js';
import { homeChecks } from './home-checks.js';
import { networkChecks, type ServerSource } from './network-checks.js';

interface DoctorDeps {
  readonly home: Home;
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: NodeJS.ProcessEnv;
  /** The command after `--`. */
  readonly command: readonly string[] | undefined;
  /** Limit of each request, ms. */
  readonly timeout: number;
  /** The token with which an engine would be started from here. */
  readonly given: GivenSignIn;
  /** Reads the status of the running engine; undefined: none runs. */
  readonly readStatus: () => Promise<EngineStatus | undefined>;
  /** Lets the running engine start its app server once. @returns why it does not answer; null: it does */
  readonly probeRunning: () => Promise<string | null>;
}

const DEFAULT_BASE_URL = 'https://chatgpt.com/backend-api';

export function doctorChecks({
  home,
  flags,
  env,
  command,
  timeout,
  given,
  readStatus,
  probeRunning,
}: DoctorDeps): Check[] {
  // A copy: resolving the settings takes secrets out of the environment.
  const settings = once(() => resolveStartSettings(flags, { ...env }, home.configFile));
  const status = once(readStatus);
  const options = async () => {
    const { caCert } = await settings();
    return { env, caCertPem: caCert === undefined ? undefined : readCaCert(caCert), timeout };
  };
  const hub = once(async () => hubAccessOf(home.dir, (await settings()).baseUrl));
  const allowedHosts = async () => {
    const [{ allowHost = [] }, access] = [await settings(), await hub()];
    return access === undefined ? allowHost : [...allowHost, access.allowHost];
  };
  const backend: ServerSource = async () => {
    const { baseUrl } = await settings();
    const running = await status().catch(() => undefined);
    // The running engine has checked its own; flags of its start are not known here.
    const used = running?.remoteControl.baseUrl || (baseUrl ?? DEFAULT_BASE_URL);
    if (used === 'embedded') return 'the backend is in the process of the engine (--base-url embedded)';
    const allowHosts = running === undefined ? await allowedHosts() : [new URL(used).host];
    const target = parseTarget(used, { allowHosts });
    if (!target.ok) throw new EngineError('targetRefused', target.message);
    const { socketUrl } = target.target;
    const server = {
      ...{ id: 'backend' as const, group: 'Backend' },
      ...{ url: socketUrl.replace(/^ws/, 'http'), socketUrl },
    };
    return { server, options: await options() };
  };
  const issuer: ServerSource = async () => {
    const running = await status().catch(() => undefined);
    const source = running?.account === null ? 'parent' : running?.account?.source;
    const ownToken =
      running === undefined &&
      ('error' in given || given.accessToken !== undefined || (await hub()) !== undefined);
    if (source === 'environment' || source === 'hub' || source === 'parent' || ownToken)
      return 'the tokens of this engine come from elsewhere';
    const { issuerOf } = await import('../../engine/diagnosis.js');
    // The running engine has its own, unless another one is asked about.
    const used = flags.issuer === undefined ? running?.account?.settings.issuer : undefined;
    const url = `${used?.replace(/\/+$/, '') ?? issuerOf(await settings(), env)}/.well-known/openid-configuration`;
    return {
      server: { id: 'issuer', group: 'Sign-in server', url, socketUrl: null },
      options: await options(),
    };
  };
  return [
    ...homeChecks(home, settings),
    ...engineChecks({ home, flags, env, settings, status, command, timeout, given, probeRunning }),
    ...networkChecks('backend', 'Backend', backend, true),
    ...networkChecks('issuer', 'Sign-in server', issuer, false),
  ];
}

/** Runs `make` at the first call; later calls get the same promise. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
