import { createActor, fromPromise, toPromise } from 'xstate';
import {
  type AuthorizedRequestInput,
  authorizedRequestMachine,
  type StepOutcome,
} from '../../machines/authorized-request.js';
import type { Recovery } from '../protocol/account-source.js';

export interface AuthorizedRequest<T> extends AuthorizedRequestInput {
  readonly recovery: () => Recovery;
  /** Sends the request once, with the token in use. */
  readonly send: (signal: AbortSignal) => Promise<T>;
  /** The response refuses the account. */
  readonly isRefused: (response: T) => boolean;
  /** Whether the token in use is another one than that of the last request. */
  readonly hasNewToken: () => Promise<boolean>;
}

/**
 * Sends a request that needs the account, and repeats it as the chart `authorizedRequest` decides.
 * @returns the last response; rejects with the error of an adapter, or with the reason of `signal`.
 */
export async function sendAuthorized<T>(request: AuthorizedRequest<T>, signal?: AbortSignal): Promise<T> {
  const { env, timing, repeats } = request;
  let response: { readonly value: T } | undefined;
  let thrown: { readonly error: unknown } | undefined;
  let recovery: Recovery | undefined;
  const keepingError = async <R>(work: () => Promise<R>): Promise<R> => {
    try {
      return await work();
    } catch (error) {
      thrown = { error };
      throw error;
    }
  };
  const takeStep = async (stepSignal: AbortSignal): Promise<StepOutcome> => {
    recovery ??= request.recovery();
    const step = await recovery.next(stepSignal);
    if (step.kind !== 'recovered') return { kind: 'notRecovered', failure: step.failure };
    return { kind: 'recovered', newToken: await request.hasNewToken() };
  };
  const actor = createActor(
    authorizedRequestMachine.provide({
      actors: {
        request: fromPromise((call) =>
          keepingError(async () => {
            const value = await request.send(call.signal);
            response = { value };
            return { kind: request.isRefused(value) ? 'refused' : 'answered' };
          }),
        ),
        recoverAuth: fromPromise((call) => keepingError(() => takeStep(call.signal))),
      },
    }),
    { id: 'authorizedRequest', input: { env, timing, repeats } },
  );
  const abort = () => actor.stop();
  signal?.addEventListener('abort', abort);
  try {
    const ended = toPromise(actor);
    actor.start();
    const { failure } = await ended;
    signal?.throwIfAborted();
    if (failure === null && response !== undefined) return response.value;
    throw thrown?.error ?? new Error(failure?.message ?? 'a request ended without a response');
  } finally {
    signal?.removeEventListener('abort', abort);
    recovery?.stop();
  }
}
