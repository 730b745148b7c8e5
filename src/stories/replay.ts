/** Plays what the search through the product of the charts has found with running actors, for the inspector. */
import type { AnyStateMachine, EventObject } from 'xstate';
import { engineWiring } from '../testing/charts/engine-wiring.js';
import type { Performer } from '../testing/product/board.js';
import type { EngineModel } from '../testing/product/engine-model.js';
import { startEngine } from '../testing/product/engine-outside.js';
import { type Counterexample, replay } from '../testing/product/search.js';
import { type Op, type Request, settleCharts } from '../testing/wiring.js';
import { Stage } from './stage.js';

/**
 * @param machines The charts of the model.
 * @returns the stage after the last act
 * @throws Error when the actors are in another state than the search says.
 */
export function replayOnStage(
  model: EngineModel,
  { choices }: Pick<Counterexample, 'choices'>,
  machines: Readonly<Record<string, AnyStateMachine>>,
): Stage {
  const wiring = engineWiring(() => stage.env);
  const stage: Stage = new Stage({ machines, wiring, holdInnerCharts: true });
  const performer: Performer = {
    snapshot: (chart) => stage.snapshot(chart),
    note: (name) => stage.note(name),
    send: (chart: string, event: EventObject) => stage.send(chart, event),
    answer: ({ chart, id }: Request, output: unknown) => stage.answer(`${chart}.${id}`, output),
    perform: (op: Op) => stage.perform(op),
    settle: () => settleCharts(stage, wiring),
    elapse: () => stage.pass('next'),
    pass: (ms: number) => stage.pass(ms),
  };
  startEngine(performer, stage.env);
  for (const act of model.actsBefore()) act.perform(performer);
  const legs = replay(model, choices);
  for (const { act } of legs) act.perform(performer);
  const end = legs.at(-1)?.after ?? model.start();
  for (const [chart, { snapshot }] of end.situation.positions) {
    const found = JSON.stringify(stage.snapshot(chart)?.value ?? null);
    const wanted = JSON.stringify(snapshot.value);
    if (found !== wanted) throw new Error(`As an actor, ${chart} is in ${found} and not in ${wanted}.`);
  }
  return stage;
}
