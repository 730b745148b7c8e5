/** The chart remoteControl with scripted actors, the real link chart over a fake socket, and a simulated clock. */
import { createActor, type EventFromLogic, fromCallback } from 'xstate';
import { type LinkEvent, linkMachine, type SocketCommand } from '../../../machines/link.js';
import { remoteControlMachine } from '../../../machines/remote-control/machine.js';
import type { RemoteControlInput } from '../../../machines/remote-control/types.js';
import { type StatusReport, statusOf } from '../../../machines/shared/status.js';
import type {
  Account,
  AuthOutcome,
  DialOutcome,
  Enrollment,
  EnrollOutcome,
  Failure,
  LoadEnrollmentOutcome,
  Preference,
  RecoveryOutcome,
  RefreshOutcome,
  SocketHandle,
  StoreOutcome,
} from '../../../src/protocol/outcomes.js';
import type { Reason } from '../../../src/protocol/reasons.js';
import { Secret } from '../../../src/protocol/secret.js';
import { DEFAULT_TIMING, type Timing } from '../../../src/protocol/timing.js';
import { Desk, EdgeCover, settle, TestClock } from '../../support/charts.js';

export const cover = new EdgeCover(remoteControlMachine);

export interface Outcomes {
  loadAuth: AuthOutcome;
  recoverAuth: RecoveryOutcome;
  loadEnrollment: LoadEnrollmentOutcome;
  saveEnrollment: StoreOutcome;
  enroll: EnrollOutcome;
  refresh: RefreshOutcome;
  dial: DialOutcome;
  drain: ReturnType<() => void>;
}

export type RcEvent = EventFromLogic<typeof remoteControlMachine>;

/** A part of every secret of these tests. */
export const MARK = 'SECRET-7f3a';
export const EPOCH = Date.UTC(2026, 0, 1);
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

export const ANNA: Account = { accountId: 'anna', generation: 1 };
export const ANNA_2: Account = { accountId: 'anna', generation: 2 };
export const BERT: Account = { accountId: 'bert', generation: 9 };
export const S1: Enrollment = { serverId: 'S1', environmentId: 'E1', serverName: 'host' };
export const S2: Enrollment = { serverId: 'S2', environmentId: 'E2', serverName: 'host' };
export const S3: Enrollment = { serverId: 'S3', environmentId: 'E3', serverName: 'host' };

export interface RigOptions extends Partial<Omit<RemoteControlInput, 'env' | 'timing'>> {
  readonly timing?: Partial<Timing>;
  readonly random?: () => number;
  /** Makes the link chart throw, like a bug in it. */
  readonly linkBreaks?: boolean;
}

export class Rig {
  readonly clock = new TestClock();
  readonly desk = new Desk<Outcomes>();
  /** Reasons with which virtual clients were closed. */
  readonly dropped: Reason[] = [];
  /** Commands sent to the sockets. */
  readonly commands: SocketCommand['type'][] = [];
  readonly actor;
  /** The value of `random`, unless a source was passed. */
  randomValue = 0.5;
  /** Offset of the wall clock from the monotonic clock, ms. */
  wallShift = 0;
  /** Number of open sockets; never more than one. */
  sockets = 0;
  #toLink: (event: LinkEvent) => void = () => {
    throw new Error('no socket is open');
  };

  constructor(options: RigOptions = {}) {
    const { timing, random, linkBreaks, ...input } = options;
    const env = {
      now: () => EPOCH + this.clock.now() + this.wallShift,
      monotonic: () => this.clock.now(),
      random: random ?? (() => this.randomValue),
    };
    const link = linkMachine.provide({
      actors: {
        socket: fromCallback<SocketCommand, { socket: SocketHandle; timing: Timing }>(
          ({ sendBack, receive }) => {
            this.sockets += 1;
            this.#toLink = (event) => {
              sendBack(event);
            };
            receive(({ type }) => this.commands.push(type));
            return () => {
              this.sockets -= 1;
            };
          },
        ),
      },
    });
    const brokenLink = link.provide({
      actions: {
        sendPing: () => {
          throw new Error('the link chart broke');
        },
      },
    });
    const { desk } = this;
    const machine = remoteControlMachine.provide({
      actors: {
        loadAuth: desk.actor('loadAuth'),
        recoverAuth: desk.actor('recoverAuth'),
        loadEnrollment: desk.actor('loadEnrollment'),
        saveEnrollment: desk.actor('saveEnrollment'),
        enroll: desk.actor('enroll'),
        refresh: desk.actor('refresh'),
        dial: desk.actor('dial'),
        drain: desk.actor('drain'),
        link: linkBreaks === true ? brokenLink : link,
      },
      actions: {
        closeVirtualClients: ({ context }) => {
          this.dropped.push(context.decision.reason);
        },
      },
    });
    this.actor = createActor(machine, {
      clock: this.clock,
      inspect: cover.watch(machine),
      input: {
        env,
        timing: { ...DEFAULT_TIMING, ...timing },
        target: { ok: true, socketUrl: 'wss://backend.test/server' },
        store: 'present',
        serverName: 'host',
        clientName: null,
        authStartup: 'recoverable',
        onConflict: 'wait',
        ...input,
      },
    });
    this.actor.subscribe({ error: () => undefined });
    this.actor.start();
    this.dropped.length = 0;
  }

  get context() {
    return this.actor.getSnapshot().context;
  }

  get report(): StatusReport {
    return statusOf(this.actor.getSnapshot());
  }

  get state(): string {
    return this.report.state;
  }

  /** State, public status and reason, as users see them. */
  get shown(): readonly [string, string, string] {
    const { state, status, reason } = this.report;
    return [state, status, reason];
  }

  get now(): number {
    return EPOCH + this.clock.now() + this.wallShift;
  }

  async send(event: RcEvent): Promise<void> {
    this.actor.send(event);
    await settle();
  }

  async answer<Src extends keyof Outcomes>(src: Src, outcome: Outcomes[Src]): Promise<void> {
    await this.desk.answer(src, outcome);
  }

  async fail(src: keyof Outcomes): Promise<void> {
    await this.desk.fail(src, new Error('adapter bug'));
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms);
  }

  /** An event from the fake socket. */
  async link(event: LinkEvent): Promise<void> {
    this.#toLink(event);
    await settle();
  }

  token(ttl = HOUR) {
    return { secret: new Secret(`${MARK}-token`), expiresAt: this.now + ttl };
  }

  failure(reason: Reason, extra: Partial<Failure> = {}): Failure {
    return { reason, message: `it was ${reason}`, at: this.now, ...extra };
  }

  /** Enables remote control and reports an account. */
  async signIn(account: Account = ANNA, by: 'start' | 'request' = 'start'): Promise<void> {
    await this.send({ type: 'ENABLE', by, durable: false });
    await this.answer('loadAuth', { kind: 'usable', account });
  }

  async load(enrollment: Enrollment | null = S1, preference: Preference = 'unset'): Promise<void> {
    await this.answer(
      'loadEnrollment',
      enrollment === null ? { kind: 'none', preference } : { kind: 'found', enrollment, preference },
    );
  }

  async grant(enrollment: Enrollment = S1, ttl = HOUR): Promise<void> {
    await this.answer('enroll', { kind: 'granted', enrollment, token: this.token(ttl) });
    await this.answer('saveEnrollment', { kind: 'done' });
  }

  async renew(ttl = HOUR): Promise<void> {
    await this.answer('refresh', { kind: 'granted', token: this.token(ttl) });
  }

  async open(): Promise<void> {
    await this.answer('dial', { kind: 'open', socket: 1 });
  }

  /** `refreshing`, with a stored identity. */
  async toRefreshing(): Promise<void> {
    await this.signIn();
    await this.load();
  }

  /** `connecting`, with a stored identity and a fresh token. */
  async toConnecting(ttl = HOUR): Promise<void> {
    await this.toRefreshing();
    await this.renew(ttl);
  }

  async toConnected(ttl = HOUR): Promise<void> {
    await this.toConnecting(ttl);
    await this.open();
  }

  /** `enrolling.requesting`. */
  async toEnrolling(): Promise<void> {
    await this.signIn();
    await this.load(null);
  }

  /** `recoveringAuth`, after the backend refused the account. */
  async toRecovering(): Promise<void> {
    await this.toRefreshing();
    await this.refuseRefresh();
  }

  async refuseRefresh(): Promise<void> {
    await this.answer('refresh', { kind: 'unauthorized', failure: this.failure('backendUnauthorized') });
  }

  /** The backend says that it does not know the identity; `byBackend` false: perhaps a proxy says so. */
  async loseIdentity(byBackend = true): Promise<void> {
    await this.answer('refresh', {
      kind: 'notFound',
      byBackend,
      failure: this.failure('backendNotFound'),
    });
  }

  async refuseDial(kind: Exclude<DialOutcome['kind'], 'open'>, extra: Partial<Failure> = {}): Promise<void> {
    const reasons = {
      tokenRejected: 'tokenRejected',
      serverGone: 'serverGone',
      ambiguousNotFound: 'ambiguousNotFound',
      conflict: 'connectionConflict',
      failed: 'networkUnreachable',
    } as const;
    await this.answer('dial', { kind, failure: this.failure(reasons[kind], extra) });
  }

  async closeLink(clean = true): Promise<void> {
    const code = clean ? 1012 : 1006;
    await this.link({ type: 'SOCKET.CLOSED', clean, code, fault: null, replaced: false });
  }

  /** The backend closes the link, because another connection took its place. */
  async replaceLink(): Promise<void> {
    await this.link({ type: 'SOCKET.CLOSED', clean: true, code: 1000, fault: null, replaced: true });
  }

  /** Answers pings for 60 s and once more, so that the link is stable. */
  async stabilize(): Promise<void> {
    for (let pings = 0; pings < 7; pings += 1) {
      await this.pass(10_000);
      await this.link({ type: 'PONG' });
    }
  }

  /** Time until the chart leaves this state without an event, ms. */
  async timeInState(): Promise<number> {
    const { state } = this;
    const from = this.clock.now();
    while (this.state === state) {
      const { nextIn } = this.clock;
      if (nextIn === null) throw new Error(`${state} has no timer`);
      await this.pass(nextIn);
    }
    return this.clock.now() - from;
  }
}
