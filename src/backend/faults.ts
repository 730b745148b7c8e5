/** Faults that tests and people inject: what the backend does instead of its normal response. */
import * as v from 'valibot';

const FAULT_ROUTES = [
  'enroll',
  'refresh',
  'pair',
  'pairStatus',
  'claim',
  'clients',
  'revoke',
  'socket',
  'controllerSocket',
] as const;
export type FaultRoute = (typeof FAULT_ROUTES)[number];

const Milliseconds = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 31 - 1));
const Times = v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 1);
const Route = v.picklist(FAULT_ROUTES);
/** For `times` requests of `route`, each after `delayMs`. */
const base = { route: Route, times: Times, delayMs: v.optional(Milliseconds, 0) };

const AnswerFaultSchema = v.variant('answer', [
  /** The normal response, after the delay. */
  v.object({ ...base, answer: v.literal('truth') }),
  v.object({
    ...base,
    answer: v.literal('status'),
    status: v.pipe(v.number(), v.integer(), v.minValue(200), v.maxValue(599)),
    headers: v.optional(v.record(v.string(), v.string()), {}),
    /** A string is sent as it is, anything else as JSON. Default `{"detail": …}`. */
    body: v.optional(v.unknown()),
  }),
  /** The request is read and never answered. */
  v.object({ ...base, answer: v.literal('hang') }),
  /** The request is read and the TCP connection destroyed. */
  v.object({ ...base, answer: v.literal('drop') }),
  /** 200 with a body that is not JSON. Not for sockets. */
  v.object({ ...base, answer: v.literal('garbage') }),
  /** The normal response with these members replaced; null removes a member. Not for sockets. */
  v.object({ ...base, answer: v.literal('patch'), members: v.record(v.string(), v.unknown()) }),
  /** The normal response with another server and environment id. Not for sockets. */
  v.object({ ...base, answer: v.literal('otherServer') }),
  /** Sockets only: accepted, then closed after `ms`. */
  v.object({
    ...base,
    answer: v.literal('closeAfter'),
    ms: v.optional(Milliseconds, 0),
    code: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1000), v.maxValue(4999)), 1000),
  }),
]);

export const FaultSchema = v.variant('action', [
  v.object({ action: v.literal('answer'), fault: AnswerFaultSchema }),
  v.object({ action: v.literal('clear') }),
  /** Every server token issued so far expires after this time. */
  v.object({ action: v.literal('expireTokens'), inSeconds: v.pipe(v.number(), v.minValue(0)) }),
  /** Lifetime of new server tokens. */
  v.object({ action: v.literal('tokenLife'), seconds: v.pipe(v.number(), v.minValue(0)) }),
  /** Destroys the TCP connections of the sockets; `side` limits it to one side. */
  v.object({ action: v.literal('dropSockets'), side: v.optional(v.picklist(['server', 'controller'])) }),
  v.object({
    action: v.literal('closeSockets'),
    side: v.optional(v.picklist(['server', 'controller'])),
    code: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1000), v.maxValue(4999)), 1000),
  }),
  /** Stops answering WebSocket pings, or starts again. */
  v.object({ action: v.literal('mutePongs'), muted: v.boolean() }),
  /** Deletes every identity and controller, as after a loss of data. */
  v.object({ action: v.literal('forgetServers') }),
]);

export type AnswerFault = v.InferOutput<typeof AnswerFaultSchema>;
/** A fault as the caller writes it: members with a default are optional. */
export type FaultInput = v.InferInput<typeof FaultSchema>;
export type FaultAction = v.InferOutput<typeof FaultSchema>;

export class FaultQueue {
  #queued: AnswerFault[] = [];

  get queued(): readonly AnswerFault[] {
    return this.#queued;
  }

  add(fault: AnswerFault): void {
    this.#queued.push(fault);
  }

  clear(): void {
    this.#queued = [];
  }

  /** Removes and returns the next fault of this route, in the order in which they were added. */
  take(route: FaultRoute): AnswerFault | undefined {
    const index = this.#queued.findIndex((fault) => fault.route === route);
    const fault = this.#queued[index];
    if (fault === undefined) return undefined;
    if (fault.times <= 1) this.#queued.splice(index, 1);
    else this.#queued[index] = { ...fault, times: fault.times - 1 };
    return fault;
  }
}
