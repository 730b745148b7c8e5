/** The chart `appServer` on a simulated clock, for its tests. */
import { createActor } from 'xstate';
import { appServerMachine } from '../../machines/app-server/machine.js';
import type { AppServerEvent, AppServerInput } from '../../machines/app-server/types.js';
import { statePath } from '../../src/protocol/decision.js';
import { type Failure, failure, type LaunchOutcome } from '../../src/protocol/outcomes.js';
import { DEFAULT_TIMING } from '../../src/protocol/timing.js';
import { Desk, settle, TestClock } from './charts.js';

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;

export const died = (message = 'It exited with code 3.'): Failure => failure('appServerExited', message, 0);
/** The chart with scripted launches. `did` lists what adapters were asked for. */
export class AppServerRig {
  readonly clock = new TestClock();
  readonly desk = new Desk<{ launch: LaunchOutcome }>();
  readonly did: string[] = [];
  readonly actor;

  constructor(mode: AppServerInput['mode']) {
    const note = (name: string) => () => {
      this.did.push(name);
    };
    const machine = appServerMachine.provide({
      actors: { launch: this.desk.actor('launch') },
      actions: {
        giveUp: ({ event }) => {
          this.did.push(`giveUp ${'client' in event ? event.client : ''}`);
        },
        admitWaiting: note('admit'),
        refuseWaiting: note('refuse'),
        askAgain: note('askAgain'),
        retireChild: note('retire'),
        checkSocket: note('checkSocket'),
        endAll: note('endAll'),
      },
    });
    this.actor = createActor(machine, {
      clock: this.clock,
      input: {
        env: { now: () => this.clock.now(), monotonic: () => this.clock.now(), random: () => 0.5 },
        timing: DEFAULT_TIMING,
        mode,
        modeReason: 'the test says so',
      },
    });
    this.actor.start();
  }

  /** A shared child that listens. */
  static async listening(): Promise<AppServerRig> {
    const rig = new AppServerRig('shared');
    rig.send({ type: 'START' });
    await rig.desk.answer('launch', { kind: 'listening' });
    return rig;
  }

  send(event: AppServerEvent): void {
    this.actor.send(event);
  }

  get state(): string {
    return statePath(this.actor.getSnapshot().value);
  }
  get context() {
    return this.actor.getSnapshot().context;
  }
  get reason(): string {
    return this.context.decision.reason;
  }
  get detail(): string | null {
    return this.context.decision.detail;
  }
  get unavailable(): boolean {
    return this.actor.getSnapshot().hasTag('unavailable');
  }

  /** What adapters were asked for since the last call. */
  taken(): string[] {
    return this.did.splice(0);
  }

  /** A client connects, its `initialize` is passed on, and it gets the response. */
  serve(client: string): void {
    this.send({ type: 'CLIENT.WAITS' });
    this.send({ type: 'INITIALIZE.SENT', client });
    this.send({ type: 'ANSWERED', client });
  }

  fail(client: string, served = 0, message?: string): void {
    this.send({ type: 'FAILED', client, served, failure: died(message), exited: true });
  }

  async exits(): Promise<void> {
    this.send({ type: 'CHILD.EXITED', failure: died() });
    await settle();
  }
}
