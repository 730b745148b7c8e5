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
  | { readonly kind: 'stop'; readonly chart: string };

/** The running charts, by name. */
export interface View {
  snapshot(chart: string): AnyMachineSnapshot | undefined;
}

/** What the adapter of one actor does. Each function sees the charts as they are then. */
export interface Wire {
  /** The charts that answer it. While one of them does not run, the answer comes from outside. */
  readonly needs: readonly string[];
  /** When the actor starts. */
  readonly begin?: (request: Request, view: View) => readonly Op[];
  /** The output of the actor; undefined: not yet. Without it the answer comes from outside. */
  readonly answer?: (request: Request, view: View) => unknown;
  /** When the actor has ended with this output. */
  readonly ended?: (output: unknown, view: View, request: Request) => readonly Op[];
}

/** By chart and source: `remoteControl.loadAuth`. */
export type Wiring = Readonly<Record<string, Wire>>;

/** Charts that run together. */
export interface Board extends View {
  /** In a fixed order. */
  requests(): readonly Request[];
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
  wiring[`${chart}.${src}`];

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
  for (const request of board.requests()) {
    const wire = wireOf(wiring, request);
    if (wire === undefined) continue;
    if (wire.begin !== undefined && !board.isBegun(request)) {
      board.markBegun(request);
      for (const op of wire.begin(request, board)) board.perform(op, request.chart);
      return true;
    }
    const output = isWired(board, wiring, request) ? wire.answer?.(request, board) : undefined;
    if (output === undefined) continue;
    answerRequest(board, wiring, request, output);
    return true;
  }
  return false;
}
