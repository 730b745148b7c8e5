/**
 * The way to one server, step by step: name server, proxy, TCP, TLS, HTTP and the WebSocket upgrade. The steps are those
 * of the engine's own dialer, so a check cannot succeed where the engine would fail. Nothing is sent that is secret: each
 * server is expected to refuse the requests.
 */
import { isIP } from 'node:net';
import { ClockWatch, isClockWrong } from '../../net/clock-watch.js';
import type { DialStage } from '../../net/dial-trace.js';
import { createDialer } from '../../net/dialer.js';
import { sendRequest } from '../../net/http-request.js';
import { isSecure } from '../../net/proxy-rules.js';
import { isRedirect, TLS_REASONS } from '../../net/request-failure.js';
import { shownUrl } from '../../net/target.js';
import type { Failure } from '../../protocol/outcomes.js';
import { SYSTEM_ENV } from '../../protocol/timing.js';
import { VERSION } from '../../protocol/version.js';
import { CLOCK_HARM, clockText, setClockCommand } from '../output/clock.js';
import { nextStepFor } from '../output/text.js';
import { type Check, type Finding, failed, notNeeded, ok, warning } from './check.js';

/** What is checked. */
export interface Server {
  /** Begins the ids: `backend`. */
  readonly id: 'backend' | 'issuer';
  /** The heading of its rows. */
  readonly group: string;
  /** An https or http URL that answers a GET without credentials with any status. */
  readonly url: string;
  /** Where a WebSocket is opened; null: nowhere. */
  readonly socketUrl: string | null;
}

export interface NetworkOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly caCertPem: string | undefined;
  /** Limit of one request, ms. */
  readonly timeout: number;
}

/** What one request to a server has shown. */
interface Probe {
  readonly stages: readonly DialStage[];
  /** Undefined: no complete response. */
  readonly response: { readonly status: number; header(name: string): string | undefined } | undefined;
  readonly failure: Failure | undefined;
  /** How far this clock is ahead of the server, ms; null: not known. */
  readonly clockDifference: number | null;
}

type Step = 'dns' | 'proxy' | 'tcp' | 'tls' | 'http';

/** From here on a wrong clock is a failure, ms: a token is renewed minutes before its end. */
const CLOCK_FAILURE = 300_000;

/** Called when the first check runs, because the settings may be invalid: then nothing is checked. */
export type ServerSource = () => Promise<
  { readonly server: Server; readonly options: NetworkOptions } | string
>;

/**
 * The checks of one server.
 * @param source the server; a string says why there is none
 */
export function networkChecks(
  id: Server['id'],
  group: string,
  source: ServerSource,
  withSocket: boolean,
): Check[] {
  let probing: Promise<Probed> | undefined;
  const probed = (signal: AbortSignal): Promise<Probed> => {
    probing ??= probe(source, signal);
    return probing;
  };
  const check = (step: string, needs: readonly string[], find: (probed: Probed) => Finding): Check => ({
    ...{ id: `${id}.${step}`, group, title: TITLES[step] ?? step },
    needs: needs.map((need) => (need.includes('.') || need === 'config' ? need : `${id}.${need}`)),
    run: async (signal) => find(await probed(signal)),
  });
  return [
    check('dns', ['config'], (found) => stepFinding(found, 'dns')),
    check('proxy', ['dns'], (found) => stepFinding(found, 'proxy')),
    check('tcp', ['proxy'], (found) => stepFinding(found, 'tcp')),
    check('tls', ['tcp'], (found) => stepFinding(found, 'tls')),
    check('http', ['tls'], (found) => stepFinding(found, 'http')),
    check('clock', ['http'], clockFinding),
    ...(withSocket
      ? [
          {
            ...{ id: `${id}.upgrade`, group, title: TITLES.upgrade ?? 'upgrade', needs: [`${id}.http`] },
            run: async (signal: AbortSignal) => upgradeFinding(await probed(signal), signal),
          },
        ]
      : []),
  ];
}

const TITLES: Readonly<Record<string, string>> = {
  dns: 'name server',
  proxy: 'proxy',
  tcp: 'TCP',
  tls: 'TLS',
  http: 'HTTP',
  clock: 'clock',
  upgrade: 'WebSocket',
};

interface Probed {
  /** Why nothing was requested. */
  readonly absent: string | undefined;
  readonly server: Server | undefined;
  readonly options: NetworkOptions | undefined;
  readonly found: Probe | undefined;
}

async function probe(source: ServerSource, signal: AbortSignal): Promise<Probed> {
  const given = await source();
  if (typeof given === 'string') {
    return { absent: given, server: undefined, options: undefined, found: undefined };
  }
  const { server, options } = given;
  const stages: DialStage[] = [];
  const clock = new ClockWatch(SYSTEM_ENV);
  const dialer = createDialer({ ...options, clock, onStage: (stage) => stages.push(stage) });
  try {
    const result = await sendRequest(
      { dialer, env: SYSTEM_ENV, userAgent: `rc-engine/${VERSION}` },
      { what: 'doctor', method: 'GET', url: server.url, secrets: [], timeout: options.timeout },
      signal,
    );
    const failure = result.kind === 'failed' ? result.failure : undefined;
    return {
      absent: undefined,
      ...{ server, options },
      found: { stages, response: result.response, failure, clockDifference: clock.difference },
    };
  } finally {
    dialer.close();
  }
}

/** The step at which a request failed; undefined: it did not fail. */
function failedStep({ stages, failure }: Probe, url: URL, proxied: boolean): Step | undefined {
  if (failure === undefined) return undefined;
  const { reason } = failure;
  if (reason === 'proxyFailed') return 'proxy';
  if (TLS_REASONS.has(reason)) return 'tls';
  const passed = (kind: DialStage['kind']): boolean => stages.some((stage) => stage.kind === kind);
  if (proxied) {
    if (!passed('tunnelled')) return 'proxy';
  } else if (!passed('connected')) {
    return passed('resolved') || isAddress(url) ? 'tcp' : 'dns';
  }
  return isSecure(url) && !passed('secured') ? 'tls' : 'http';
}

const isAddress = ({ hostname }: URL): boolean => isIP(hostname.replace(/^\[|\]$/g, '')) !== 0;

function stepFinding({ absent, server, options, found }: Probed, step: Step): Finding {
  if (server === undefined || options === undefined || found === undefined) return notNeeded(absent ?? '');
  const url = new URL(server.url);
  const route = createDialer(options).routeFor(server.url);
  const proxy = route.kind === 'proxy' ? route.proxy : undefined;
  if (failedStep(found, url, proxy !== undefined) === step && found.failure !== undefined) {
    return failureFinding(step, found.failure, url);
  }
  switch (step) {
    case 'dns':
      return dnsFinding(found, url, proxy);
    case 'proxy':
      return proxy === undefined ? notNeeded('none: the connection is direct') : ok(`through ${proxy}`);
    case 'tcp':
      return tcpFinding(found, proxy);
    case 'tls':
      return tlsFinding(found, url);
    case 'http':
      return httpFinding(found, server);
  }
}

function failureFinding(step: Step, { reason, message }: Failure, { hostname }: URL): Finding {
  const what = message.replace(/^doctor: /, '').replace(/\.$/, '');
  if (step === 'dns') {
    return failed(
      what,
      `Check the network, and that this machine can look up names: getent hosts ${hostname}. In a network with a proxy, set HTTPS_PROXY.`,
    );
  }
  if (step === 'tcp') {
    return failed(
      what,
      `Check that a firewall lets this machine connect to ${hostname}, or set HTTPS_PROXY.`,
    );
  }
  return failed(what, nextStepFor(reason).replaceAll('the backend', hostname));
}

function dnsFinding({ stages }: Probe, url: URL, proxy: string | undefined): Finding {
  if (proxy !== undefined) return notNeeded('the proxy looks the name up');
  const found = stages.find((stage) => stage.kind === 'resolved');
  if (found?.kind === 'resolved') return ok(`${url.hostname} is ${found.address}`);
  return notNeeded(`${url.hostname} is an address`);
}

function tcpFinding({ stages }: Probe, proxy: string | undefined): Finding {
  if (proxy !== undefined) return notNeeded('the proxy connects');
  const found = stages.find((stage) => stage.kind === 'connected');
  return found?.kind === 'connected' ? ok(`connected to ${found.address}`) : notNeeded('not observed');
}

function tlsFinding({ stages }: Probe, url: URL): Finding {
  if (!isSecure(url)) return notNeeded('not used on this machine');
  const found = stages.find((stage) => stage.kind === 'secured');
  if (found?.kind !== 'secured') return notNeeded('not observed');
  return ok(`${found.protocol}, the certificate is valid until ${found.validTo}`);
}

/** Any answer of the server itself is good: without credentials it may refuse. Some come from something between. */
function httpFinding({ response }: Probe, { url, id }: Server): Finding {
  const status = response?.status ?? 0;
  const answer = `${shownUrl(url)} answered HTTP ${status}`;
  if (isRedirect(status)) {
    const location = response?.header('location') ?? '';
    return warning(
      `${answer}, a redirect to ${location === '' ? 'nowhere' : shownUrl(location)}`,
      'A sign-in page of this network may be in the way: open a browser, or use another network.',
    );
  }
  if (status === 511 || status === 407) {
    return failed(answer, 'This network needs a sign-in of its own: open a browser, or use another network.');
  }
  if (status === 429) return warning(answer, 'Wait some minutes: it limits requests from this network.');
  if (status >= 500) return warning(answer, 'Wait: the engine tries again automatically.');
  const html = (response?.header('content-type') ?? '').includes('text/html');
  if (id === 'backend' && html && status === 200) {
    return warning(
      `${answer} with a web page`,
      'A filter of this network may be in the way: open the address in a browser, or use another network.',
    );
  }
  return ok(`the server answers (HTTP ${status})`);
}

function clockFinding({ found }: Probed): Finding {
  const difference = found?.clockDifference ?? null;
  if (difference === null) return notNeeded('the server sends no date');
  if (!isClockWrong(difference)) return ok('agrees with the server');
  const remedy = `Set the clock, for example with: ${setClockCommand()}`;
  return Math.abs(difference) < CLOCK_FAILURE
    ? warning(clockText(difference), remedy)
    : failed(clockText(difference), `${CLOCK_HARM} ${remedy}`);
}

/** Statuses with which a backend refuses an upgrade without a token. */
const REFUSALS = new Set([400, 401, 403, 404, 409]);

async function upgradeFinding({ server, options, absent }: Probed, signal: AbortSignal): Promise<Finding> {
  if (server?.socketUrl == null || options === undefined) return notNeeded(absent ?? 'not used');
  const { requestUpgrade } = await import('../../engine/diagnosis.js');
  const dialer = createDialer(options);
  try {
    const failure = await requestUpgrade(server.socketUrl, dialer, options.timeout, signal);
    if (failure === null) return ok('opened');
    const { reason, message, httpStatus } = failure;
    if (httpStatus !== undefined && REFUSALS.has(httpStatus)) {
      return ok(`the request arrives: HTTP ${httpStatus}, as expected without a token`);
    }
    if (httpStatus === 426 || httpStatus === 200) {
      return failed(
        `something between removes the upgrade: HTTP ${httpStatus}`,
        'Let the proxy or the filter of this network pass WebSockets, or use another network.',
      );
    }
    const what = message.replace(/^socket: /, '').replace(/\.$/, '');
    return httpStatus === undefined || httpStatus < 500
      ? failed(what, nextStepFor(reason))
      : warning(what, nextStepFor(reason));
  } finally {
    dialer.close();
  }
}
