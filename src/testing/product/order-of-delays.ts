import type { Situation } from './board.js';

/** In which order the running delays of all charts end. How far apart does not count. */
export function orderOfDelays({ positions }: Situation): readonly string[] {
  const running = [...positions].flatMap(([chart, { timers, snapshot }]) =>
    snapshot.status === 'active' ? timers.map(({ id, due }) => ({ name: `${chart} ${id}`, due })) : [],
  );
  return running.sort((a, b) => a.due - b.due).map(({ name }) => name);
}
