/** A story: what happens outside, in order. The charts decide the rest. */
import type { AnyStateMachine, EventObject } from 'xstate';
import type { Verdict } from '../protocol/authority.js';
import type { Env } from '../protocol/timing.js';
import { engineWiring } from '../testing/charts/engine-wiring.js';
import type { Party } from './cast.js';
import { Stage } from './stage.js';

/** One thing that happens outside the charts. */
export type Act =
  /** A chart starts to run. */
  | {
      readonly kind: 'start';
      readonly chart: string;
      /** Name of the machine, where several of one kind run. */
      readonly machine: string;
      readonly input: (env: Env) => unknown;
      /** Who causes it, and with what. Default: the engine, which needs no words. */
      readonly from?: Party;
      readonly words?: string;
    }
  /** The listener passes the verdict of `websocketAuth` on to `listenerConnection`. */
  | { readonly kind: 'verdict' }
  /** Somebody sends an event to a chart. */
  | {
      readonly kind: 'send';
      readonly chart: string;
      readonly event: EventObject;
      readonly from: Party;
      readonly words: string;
    }
  /** Somebody answers what a chart has asked for, for example `remoteControl.enroll`. */
  | {
      readonly kind: 'answer';
      readonly to: string;
      readonly output: (env: Env) => unknown;
      readonly words: string;
    }
  /** Somebody reports an event to a chart, without an end: a pong, a closed socket. */
  | { readonly kind: 'report'; readonly to: string; readonly event: EventObject; readonly words: string }
  /** Nothing happens outside until the next delay ends, or for so many ms. */
  | { readonly kind: 'pass'; readonly time: number | 'next' };

export interface Story {
  /** Name of its files. */
  readonly name: string;
  readonly title: string;
  /** One sentence for the list of stories. */
  readonly summary: string;
  /** What happens and why, for a reader who does not know the charts. Paragraphs. */
  readonly text: readonly string[];
  /** Numbers of the specification. */
  readonly requirements: readonly string[];
  /** The charts whose way is drawn, the most important one first. */
  readonly pictures: readonly string[];
  /** How the story begins, where something came before it: "an engine that is connected". */
  readonly begins?: { readonly words: string; readonly acts: readonly Act[] };
  readonly acts: readonly Act[];
  /** What still waits at the end, for example an open socket. Anything else is a mistake in the story. */
  readonly open: readonly string[];
}

/** A story that does not fit the charts. */
export class StoryError extends Error {
  override readonly name = 'StoryError';
}

/** An act, with the number of moments before it. */
export interface PlayedAct {
  readonly act: Act;
  readonly from: number;
}

export interface Played {
  readonly story: Story;
  readonly stage: Stage;
  /** The acts of the story, without those before it. */
  readonly acts: readonly PlayedAct[];
  /** Number of moments before the story begins. */
  readonly from: number;
}

/**
 * Runs the charts with what the story says.
 *
 * @throws StoryError when a chart does not ask for what the story answers, or asks for more.
 */
export function play(story: Story, machines: Readonly<Record<string, AnyStateMachine>>): Played {
  const stage: Stage = new Stage({ machines, wiring: engineWiring(() => stage.env) });
  const before = story.begins?.acts ?? [];
  const acts: PlayedAct[] = [];
  for (const [index, act] of [...before, ...story.acts].entries()) {
    if (index >= before.length) acts.push({ act, from: stage.moments.length });
    try {
      perform(stage, act);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new StoryError(`${story.name}, act ${index + 1} (${wordsOf(act)}): ${message}`, { cause: error });
    }
  }
  const open = stage.requests().map(({ chart, id }) => `${chart}.${id}`);
  if (open.join() !== story.open.join()) {
    throw new StoryError(
      `${story.name} ends while these wait: ${open.join(', ') || 'none'}; it says: ${story.open.join(', ') || 'none'}.`,
    );
  }
  return { story, stage, acts, from: acts[0]?.from ?? 0 };
}

function perform(stage: Stage, act: Act): void {
  if (act.kind === 'start') stage.start(act.chart, act.input(stage.env), act.machine);
  else if (act.kind === 'answer') stage.answer(act.to, act.output(stage.env));
  else if (act.kind === 'report') stage.report(act.to, act.event);
  else if (act.kind === 'pass') stage.pass(act.time);
  else if (act.kind === 'verdict') stage.send('listenerConnection', { type: verdictOf(stage) });
  else {
    if (stage.snapshot(act.chart) === undefined) throw new Error(`${act.chart} does not run.`);
    stage.send(act.chart, act.event);
  }
}

function verdictOf(stage: Stage): 'ADMITTED' | 'REFUSED' {
  const output = stage.snapshot('websocketAuth')?.output as Verdict | undefined;
  if (output === undefined) throw new Error('websocketAuth has not decided.');
  return output.outcome === 'rejected' ? 'REFUSED' : 'ADMITTED';
}

function wordsOf(act: Act): string {
  if (act.kind === 'start') return `start ${act.chart}`;
  if (act.kind === 'verdict') return 'the verdict';
  return act.kind === 'pass' ? `pass ${act.time}` : act.words;
}
