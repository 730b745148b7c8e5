/** Faults that tests and people switch on: what the backend answers instead of the truth. */
import * as v from 'valibot';

export const FAULT_ROUTES = [
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
  /** Nothing but the delay. */
  v.object({ ...base, answer: v.literal('truth') }),
  v.object({
    ...base,
    answer: v.literal('status'),
    status: v.pipe(v.number(), v.integer(), v.minValue(200), v.maxValue(599)),
    headers: v.optional(v.record(v.string(), v.string()), {}),
    /** Text goes as it is, anything else as JSON. Default `{"detail": …}`. */
    body: v.optional(v.unknown()),
  }),
  /** The request is read and never answered. */
  v.object({ ...base, answer: v.literal('hang') }),
  /** The request is read and the TCP connection destroyed. */
  v.object({ ...base, answer: v.literal('drop') }),
  /** 200 with a body that is no JSON. Not for sockets. */
  v.object({ ...base, answer: v.literal('garbage') }),
  /** The right answer with these members in place of its own; null takes one away. Not for sockets. */
  v.object({ ...base, answer: v.literal('patch'), members: v.record(v.string(), v.unknown()) }),
  /** The right answer, but for another server and environment. Not for sockets. */
  v.object({ ...base, answer: v.literal('otherServer') }),
  /** Sockets only: accepted, and closed after that time. */
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
  /** Every server token given out so far ends in that time. */
  v.object({ action: v.literal('expireTokens'), inSeconds: v.pipe(v.number(), v.minValue(0)) }),
  /** New server tokens live that long. */
  v.object({ action: v.literal('tokenLife'), seconds: v.pipe(v.number(), v.minValue(0)) }),
  /** TCP connections of the sockets are destroyed; `side` limits it to one side. */
  v.object({ action: v.literal('dropSockets'), side: v.optional(v.picklist(['server', 'controller'])) }),
  v.object({
    action: v.literal('closeSockets'),
    side: v.optional(v.picklist(['server', 'controller'])),
    code: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1000), v.maxValue(4999)), 1000),
  }),
  /** WebSocket pings are no longer answered, or are again. */
  v.object({ action: v.literal('mutePongs'), muted: v.boolean() }),
  /** Every identity and client is forgotten, as after a loss of data. */
  v.object({ action: v.literal('forgetServers') }),
]);

export type AnswerFault = v.InferOutput<typeof AnswerFaultSchema>;
/** A fault as it is given, with defaults left out. */
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

  /** The fault that this request meets, if any; in the order they were added. */
  take(route: FaultRoute): AnswerFault | undefined {
    const index = this.#queued.findIndex((fault) => fault.route === route);
    const fault = this.#queued[index];
    if (fault === undefined) return undefined;
    if (fault.times <= 1) this.#queued.splice(index, 1);
    else this.#queued[index] = { ...fault, times: fault.times - 1 };
    return fault;
  }
}
