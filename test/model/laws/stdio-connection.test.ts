import { lawsOf, tagLaws } from './walks.js';

lawsOf('stdioConnection', [
  ...tagLaws({ appServerMayEnd: ['ending', 'finishing'] }),
  {
    title: 'RC-77: the app server gets the end of its input once, when it may end',
    holds: ({ from, to, did }) => {
      const mayEnd = (states: readonly string[]) => states.includes('ending') || states.includes('finishing');
      return did.includes('endAppServerInput') === (mayEnd(to) && !mayEnd(from));
    },
  },
  {
    title: 'RC-77: the session is released when it ends, and only then',
    holds: ({ from, to, did }) =>
      did.includes('release') === (to.includes('closed') && !from.includes('closed')),
  },
  {
    title: 'RC-77: while responses arrive, the client waits on',
    when: ({ event, from }) => event.type === 'PROGRESS' && from.includes('answering'),
    holds: ({ to, effects }) =>
      to.includes('answering.next') && effects.some(({ delay }) => delay !== undefined && delay > 0),
  },
]);
