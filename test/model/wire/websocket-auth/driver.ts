/**
 * Plays an upgrade against the listener of a real engine, over a TCP connection. A verdict counts only when the wire shows
 * it (the status code, or an open socket whose ping is answered) and the engine reports it in the audit, the counter and
 * the list of connections. WSA-2
 */
import { randomBytes } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import net, { type NetConnectOpts, type Socket } from 'node:net';
import path from 'node:path';
import { BuiltinAppServer } from '../../../../src/app-server/builtin.js';
import type { EngineStatus } from '../../../../src/engine/status.js';
import type { AuditRecord } from '../../../../src/observe/audit.js';
import { NOTHING_PRESENTED, type UpgradeFacts, type Verdict } from '../../../../src/protocol/authority.js';
import type { Driver, Expected } from '../../../../src/testing/index.js';
import { listening, type Running, until } from '../../../listener/rig.js';
import { LineClient } from '../../../support/control.js';
import { tmpFolder } from '../../../support/tmp.js';
import { MAX_HANDSHAKES, requestOf, settingsOf } from './requests.js';

/** The response on the wire. */
interface Response {
  readonly status: number;
  /** A ping over the new socket was answered. */
  readonly pong: boolean;
  /** The server closed the connection. */
  readonly closed: boolean;
}

interface Reported {
  readonly decisions: NonNullable<EngineStatus['listener']>['decisions'];
  readonly connections: EngineStatus['connections'];
  readonly audit: readonly AuditRecord[];
}

const OPEN: Response = { status: 101, pong: true, closed: false };
/** HTTP status by reason, from the requirements; 401 for all others. WSA-8, WSA-13, WSA-16, WSA-20 */
const STATUS: Readonly<Record<string, number>> = {
  originRefused: 403,
  malformedUpgrade: 400,
  headersTooLarge: 431,
  handshakeTooSlow: 408,
  socketExposed: 403,
  tooManyHandshakes: 503,
  tooManyConnections: 503,
  listenerNotReady: 503,
};
/** Reasons of accepted upgrades; all others are rejections. WSA-2, WSA-4 */
const ACCEPTED: Readonly<Record<string, Verdict['outcome']>> = {
  tokenMatched: 'established',
  capabilityMatched: 'established',
  jwtVerified: 'established',
  socketPrivate: 'established',
  uncheckedMissing: 'degraded',
  uncheckedAmbiguous: 'degraded',
  uncheckedInvalid: 'degraded',
};
const LIMIT = 8_000;

export class UpgradeDriver implements Driver {
  readonly #facts: UpgradeFacts;
  readonly #sockets: Socket[] = [];
  #at: Running | undefined;
  #before: Reported | undefined;
  #response: Response | undefined;
  #allowStop: () => void = () => {};

  constructor(facts: UpgradeFacts) {
    this.#facts = facts;
  }

  async start(): Promise<void> {
    const held = new Promise<void>((resolve) => {
      this.#allowStop = resolve;
    });
    const socket = path.join(await tmpFolder(), 'private', 'l.sock');
    const listen = this.#facts.mode === 'filesystem' ? ({ listen: `unix://${socket}` } as const) : {};
    const at = await listening({ ...settingsOf(this.#facts), ...listen, appServer: new SlowAppServer(held) });
    this.#at = at;
    if (this.#facts.mode === 'filesystem' && !this.#facts.credential.matches)
      await chmod(path.dirname(socket), 0o755);
    await this.#prepareAdmission(at);
    this.#before = await read(at);
    this.#response = await this.#send(at.target, requestOf(this.#facts, at.token));
  }

  act(): void {
    throw new Error('an upgrade has no steps');
  }

  async check(expected: Expected): Promise<void> {
    const [at, before, response] = [this.#at, this.#before, this.#response];
    if (at === undefined || before === undefined || response === undefined)
      throw new Error('the upgrade was not sent');
    const verdict = expected.snapshot.output as Verdict;
    const [mode, outcome, reason] = [verdict.mode, verdict.outcome, verdict.reason];
    const words = `${mode} ${outcome} ${reason}`;

    const refused: Response = { status: STATUS[reason] ?? 401, pong: false, closed: true };
    same('the wire', response, outcome === 'rejected' ? refused : OPEN);
    same('the reason', ACCEPTED[reason] ?? 'rejected', outcome);
    same('the chart', expected.states.at(-1), `websocketAuth.${outcome}`);

    const after = await read(at);
    const added = after.audit.slice(before.audit.length);
    same('the audit', added.map(wordsOf), [words]);
    const count = (reported: Reported) =>
      reported.decisions.reduce((sum, one) => sum + (wordsOf(one) === words ? one.count : 0), 0);
    same('its counter', count(after) - count(before), 1);
    const known = new Set(before.connections.map(({ id }) => id));
    const opened = after.connections.filter(({ id }) => !known.has(id));
    same('the connections', opened.map(wordsOf), outcome === 'rejected' ? [] : [words]);
  }

  async end(): Promise<void> {
    for (const socket of this.#sockets.splice(0)) socket.destroy();
    this.#allowStop();
    await this.#at?.engine.stop();
  }

  /** Brings the listener into the state of admission that the facts require. */
  async #prepareAdmission(at: Running): Promise<void> {
    switch (this.#facts.admission) {
      case 'open':
        return;
      case 'tooManyHandshakes':
        await Promise.all(Array.from({ length: MAX_HANDSHAKES }, () => this.#connect(at.target)));
        return;
      case 'tooManyConnections':
        await this.#send(at.target, requestOf({ ...this.#facts, admission: 'open' }, at.token));
        return;
      case 'onlyEstablished': {
        const degraded = { ...this.#facts, admission: 'open', credential: NOTHING_PRESENTED } as const;
        await this.#send(at.target, requestOf(degraded, at.token));
        return;
      }
      case 'notReady':
        // While the engine stops and its app server is slow to close, `/readyz` and upgrades get 503. WSA-20
        void at.engine.stop();
        await until(async () => (await this.#status(at.target)) === 503, 'the stop');
    }
  }

  async #status(target: NetConnectOpts): Promise<number> {
    return (await this.#send(target, 'GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n')).status;
  }

  #connect(target: NetConnectOpts): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(target, () => resolve(socket));
      this.#sockets.push(socket);
      socket.on('error', reject);
    });
  }

  async #send(target: NetConnectOpts, bytes: string): Promise<Response> {
    const socket = await this.#connect(target);
    const payload = randomBytes(4);
    return new Promise((resolve, reject) => {
      let got = Buffer.alloc(0);
      let pinged = false;
      const timer = setTimeout(
        () => reject(new Error(`no response; received: ${got.toString('latin1')}`)),
        LIMIT,
      );
      const done = (response: Response) => {
        clearTimeout(timer);
        resolve(response);
      };
      const status = () => Number(/^HTTP\/1\.1 (\d{3})/.exec(got.toString('latin1'))?.[1] ?? 0);
      socket.on('data', (part) => {
        got = Buffer.concat([got, part]);
        if (status() !== 101) return;
        if (!pinged && got.includes('\r\n\r\n')) {
          pinged = true;
          socket.write(Buffer.concat([PING, payload]));
        }
        if (got.includes(Buffer.concat([PONG, payload]))) done(OPEN);
      });
      socket.on('close', () => done({ status: status(), pong: false, closed: true }));
      socket.write(bytes, 'latin1');
    });
  }
}

/** Frames with four bytes of payload. A mask of zeros does not change them. RFC 6455 5.5 */
const PING = Buffer.from([0x89, 0x84, 0, 0, 0, 0]);
const PONG = Buffer.from([0x8a, 0x04]);

/** Status and audit of the engine, read over the control socket. */
async function read(at: Running): Promise<Reported> {
  const client = await LineClient.connect(path.join(at.engine.home, 'control.sock'));
  await client.initialize('paths');
  const status = (await client.call('engine/status/read', {})) as { readonly result: EngineStatus };
  const audit = (await client.call('engine/audit/read', {})) as {
    readonly result: { readonly records: readonly AuditRecord[] };
  };
  client.close();
  const { listener, connections } = status.result;
  if (listener === null) throw new Error('there is no listener');
  return {
    decisions: listener.decisions,
    connections,
    audit: audit.result.records.filter(({ mode }) => mode !== undefined),
  };
}

/** The built-in app server, which closes only when the test allows it. */
class SlowAppServer extends BuiltinAppServer {
  readonly #until: Promise<void>;

  constructor(until: Promise<void>) {
    super({ version: 'paths', home: '' });
    this.#until = until;
  }

  override async close(): Promise<void> {
    await this.#until;
    await super.close();
  }
}

const wordsOf = (one: { readonly mode?: string; readonly reason: string } & object): string =>
  `${one.mode} ${'outcome' in one ? one.outcome : 'decision' in one ? one.decision : ''} ${one.reason}`;

function same(what: string, actual: unknown, expected: unknown): void {
  const [a, b] = [actual, expected].map((value) => JSON.stringify(value));
  if (a !== b) throw new Error(`${what} shows ${a}, not ${b}`);
}
