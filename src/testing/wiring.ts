/**
 * How the charts of one engine answer each other. An actor that one chart starts may be work of another chart: then that
 * chart answers it, as the adapters of the engine arrange it. All other actors are answered from outside.
 */
import type { AnyMachineSnapshot, EventObject } from 'xstate';

/** An actor that a chart has started and that has not ended. */
export interface Request {
  /** Name of the running chart. */
  readonly chart: string;
  /** Id of the invoke; for a chart inside the chart both, as `link.socket`. */
  readonly id: string;
  readonly src: string;
  readonly input: unknown;
}

/** What an adapter does to another chart. */
export type Op =
  | { readonly kind: 'send'; readonly chart: string; readonly event: EventObject }
  | { readonly kind: 'start'; readonly chart: string; readonly input: unknown }
  | { readonly kind: 'stop'; readonly chart: string }
  /** Writes something down for later. */
  | { readonly kind: 'note'; readonly name: string; readonly value: string };

/** The running charts, by name. */
export interface View {
  snapshot(chart: string): AnyMachineSnapshot | undefined;
  /** What an adapter has written down. */
  note(name: string): string | undefined;
}

/** What the adapter of one actor does. Each function sees the charts as they are then. */
export interface Wire {
  /** The charts that answer it. While one of them does not run, the answer comes from outside. */
  readonly needs: readonly string[];
  /** The charts that do the work, where they are others. */
  readonly by?: readonly string[];
  /** When the actor starts. */
  readonly begin?: (request: Request, view: View) => readonly Op[];
  /** The output of the actor; undefined: not yet. Without it the answer comes from outside. */
  readonly answer?: (request: Request, view: View) => unknown;
  /** When the actor has ended with this output. */
  readonly ended?: (output: unknown, view: View, request: Request) => readonly Op[];
  /** When the chart has stopped the actor. */
  readonly abandoned?: readonly Op[];
}

/** An action that the adapter of a chart performs. */
export interface ActionCall {
  readonly context: unknown;
  readonly event: EventObject;
}

/** Something that an adapter follows, and what it does when it changes. */
export interface Follower {
  readonly name: string;
  /** Undefined: it does not follow now. The next value is a change. */
  readonly value: (view: View) => string | undefined;
  readonly changed: (value: string, before: string | undefined, view: View) => readonly Op[];
}

export interface Wiring {
  /** By chart and source: `remoteControl.loadAuth`. */
  readonly requests: Readonly<Record<string, Wire>>;
  /** By chart and name: `tokenRenewal.reportRenewed`. */
  readonly actions: Readonly<Record<string, (call: ActionCall, view: View) => readonly Op[]>>;
  readonly followers: readonly Follower[];
}

/** Charts that run together. */
export interface Board extends View {
  /** In a fixed order. */
  requests(): readonly Request[];
  setNote(name: string, value: string | undefined): void;
  /** Calls of actions since the last call of this method. */
  takeCalls(): readonly (ActionCall & { readonly chart: string; readonly action: string })[];
  /** Requests that began and that their chart has stopped since the last call of this method. */
  takeAbandoned(): readonly Request[];
  /** `begin` has been called for it. */
  isBegun(request: Request): boolean;
  markBegun(request: Request): void;
  /** `by`: the chart whose adapter does it. */
  perform(op: Op, by: string): void;
  end(request: Request, output: unknown): void;
}

/** More answers of charts to each other, one after the other, than an engine needs. */
const MAX_ANSWERS = 200;

export const wireOf = (wiring: Wiring, { chart, src }: Request): Wire | undefined =>
  wiring.requests[`${chart}.${src}`];

/** True when another chart answers the request. */
export function isWired(board: View, wiring: Wiring, request: Request): boolean {
  const wire = wireOf(wiring, request);
  return wire?.answer !== undefined && wire.needs.every((chart) => board.snapshot(chart) !== undefined);
}

/** Ends a request, and does what its adapter does then. */
export function answerRequest(board: Board, wiring: Wiring, request: Request, output: unknown): void {
  board.end(request, output);
  for (const op of wireOf(wiring, request)?.ended?.(output, board, request) ?? [])
    board.perform(op, request.chart);
}

/** Lets the charts answer each other until only answers from outside are awaited. */
export function settleCharts(board: Board, wiring: Wiring): void {
  for (let count = 0; count < MAX_ANSWERS; count += 1) if (!settleOnce(board, wiring)) return;
  throw new Error(`The charts answer each other more than ${MAX_ANSWERS} times in one step.`);
}

function settleOnce(board: Board, wiring: Wiring): boolean {
  return (
    performCalls(board, wiring) ||
    follow(board, wiring) ||
    stopAbandoned(board, wiring) ||
    answerOne(board, wiring)
  );
}

function performCalls(board: Board, wiring: Wiring): boolean {
  const calls = board.takeCalls();
  const ops = calls.flatMap((call) =>
    (wiring.actions[`${call.chart}.${call.action}`]?.(call, board) ?? []).map((op) => ({
      op,
      by: call.chart,
    })),
  );
  for (const { op, by } of ops) board.perform(op, by);
  return ops.length > 0;
}

function follow(board: Board, wiring: Wiring): boolean {
  for (const { name, value, changed } of wiring.followers) {
    const before = board.note(`follows ${name}`);
    const now = value(board);
    if (now === before) continue;
    board.setNote(`follows ${name}`, now);
    if (now === undefined) continue;
    for (const op of changed(now, before, board)) board.perform(op, name);
    return true;
  }
  return false;
}

function stopAbandoned(board: Board, wiring: Wiring): boolean {
  let stopped = false;
  for (const request of board.takeAbandoned()) {
    for (const op of wireOf(wiring, request)?.abandoned ?? []) {
      board.perform(op, request.chart);
      stopped = true;
    }
  }
  return stopped;
}

function answerOne(board: Board, wiring: Wiring): boolean {
  for (const request of board.requests()) {
    const wire = wireOf(wiring, request);
    if (wire === undefined) continue;
    if (!board.isBegun(request)) {
      board.markBegun(request);
      const ops = wire.begin?.(request, board) ?? [];
      for (const op of ops) board.perform(op, request.chart);
      if (ops.length > 0) return true;
    }
    const output = isWired(board, wiring, request) ? wire.answer?.(request, board) : undefined;
    if (output === undefined) continue;
    answerRequest(board, wiring, request, output);
    return true;
  }
  return false;
}
