import type { EngineContext } from '../../../machines/engine/setup.js';
import { lawsOf, type Moment, tagLaws } from './walks.js';

const started = ({ effects }: Moment<EngineContext>): string[] =>
  effects.flatMap(({ kind, name }) => (kind === 'start' ? [name] : []));
const emitted = ({ effects }: Moment<EngineContext>): string[] =>
  effects.flatMap(({ kind, name }) => (kind === 'emit' ? [name] : []));
const all = (moment: Moment<EngineContext>) => [...moment.history, moment];
const before = (step: string, other: string) => (moment: Moment<EngineContext>) => {
  const steps = all(moment).flatMap(started);
  const at = steps.findIndex((name) => name.startsWith(step));
  const next = steps.findIndex((name) => name.startsWith(other));
  return at < 0 || next < 0 || at < next;
};
const isOver = ({ to }: Moment<EngineContext>) => to.includes('stopped') || to.includes('failed');

lawsOf<EngineContext>('engine', [
  ...tagLaws({ ready: ['running'], ending: ['stopping', 'undoing', 'stopped', 'failed'] }),
  {
    title: 'RC-46: nothing begins to open once the end has begun',
    when: ({ tags }) => tags.includes('ending'),
    holds: (moment) => !started(moment).some((name) => /^(check|open|take|wire|start|await)/.test(name)),
  },
  { title: 'RC-8: nothing is wired before the home is taken', holds: before('takeHome', 'wire') },
  {
    title: 'RC-46: the home is released after the store is closed',
    holds: before('closeStore', 'releaseHome'),
  },
  { title: 'RC-46: the store is closed after the app server', holds: before('closeAppServer', 'closeStore') },
  { title: 'RC-46: remote control ends before the access', holds: before('endRemoteControl', 'closeAccess') },
  {
    title: 'it is failed exactly if there is a failure',
    when: isOver,
    holds: ({ to, is }) => to.includes('failed') === (is.failure !== null),
  },
  {
    title: 'the end is reported once at most, and only when it is over; the start not after the end',
    holds: (moment) => {
      const reports = all(moment).flatMap(emitted);
      const ends = reports.filter((name) => name === 'ENDED').length;
      return ends <= 1 && (ends === 0 || isOver(moment)) && reports.lastIndexOf('STARTED') <= 0;
    },
  },
  {
    title: 'clients are admitted exactly if the engine has run',
    holds: (moment) =>
      all(moment).some(({ did }) => did.includes('admitClients')) ===
      all(moment).some(({ to }) => to.includes('running')),
  },
  {
    title: 'WSA-20: clients are refused before anything is closed',
    when: ({ to }) => to.includes('stopping'),
    holds: (moment) => all(moment).some(({ did }) => did.includes('refuseClients')),
  },
  {
    title: 'RC-219: a late or broken part does not change why the engine ends',
    when: ({ is }) => is.decision.reason === 'stopTimeout',
    holds: ({ is, was }) => is.failure === was.failure,
  },
  {
    title: 'RC-8: a home that was taken is released before the end, unless the release fails or is late',
    when: (moment) => isOver(moment) && all(moment).some(({ from }) => from.includes('preparing.wiring')),
    holds: (moment) =>
      all(moment)
        .flatMap(started)
        .some((name) => /^(releaseHome|undoHome)/.test(name)),
  },
]);
