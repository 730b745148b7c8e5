/** Stories about clients on this machine and the app server behind the engine. */
import type { AppServerEvent } from '../../../machines/app-server/types.js';
import type { ClientSessionEvent } from '../../../machines/client-session.js';
import type { ListenerConnectionEvent } from '../../../machines/listener-connection.js';
import { type CredentialFacts, NOTHING_PRESENTED, type UpgradeFacts } from '../../protocol/authority.js';
import { DEFAULT_TIMING } from '../../protocol/timing.js';
import { EPOCH } from '../../testing/charts/model.js';
import type { Party } from '../cast.js';
import type { Act, Story } from '../story.js';
import { answer, send, start } from './acts.js';

const toAppServer = (event: AppServerEvent, from: Party, words: string): Act =>
  send('appServer', event, from, words);
const toConnection = (event: ListenerConnectionEvent, from: Party, words: string): Act =>
  send('listenerConnection', event, from, words);
const startConnection = start('listenerConnection', () => ({ timing: DEFAULT_TIMING }));

const toSession = (event: ClientSessionEvent, from: Party, words: string): Act =>
  send('clientSession', event, from, words);

/** The client sends `initialize`, and the app server answers it. */
const initialize: readonly Act[] = [
  start('clientSession', () => ({ transport: 'socket', timing: DEFAULT_TIMING })),
  toSession({ type: 'DEFERRED' }, 'listener', 'initialize opens the app server'),
  toSession({ type: 'OPENING' }, 'client', 'initialize'),
  toSession({ type: 'OPENED' }, 'appServer', 'its connection is open'),
  toSession({ type: 'INITIALIZE.SENT' }, 'client', 'initialize is passed on'),
  toSession({ type: 'INITIALIZE.ACCEPTED' }, 'appServer', 'initialize was answered'),
];
const leaves: readonly Act[] = [
  toConnection({ type: 'ENDED' }, 'client', 'closes the connection'),
  toSession({ type: 'CLOSE' }, 'listener', 'the connection is gone'),
];

const listens = (id: string): Act =>
  answer(`appServer.${id}`, 'it listens on its socket', () => ({ kind: 'listening' }));

const appServerDead: Story = {
  name: 'app-server-dead',
  title: 'The app server dies',
  summary:
    'Its clients are closed with the cause, and it is started again after a pause or for the next client.',
  text: [
    'One app server serves all clients of the engine. It exits while a client is connected. The client is closed with 1011 and the cause, so that it knows what happened and connects again.',
    'The engine starts the app server again after a pause, or at once when a client needs it, as here. After five failures within a minute it would refuse clients with the cause until the minute is over.',
  ],
  requirements: ['RC-63', 'WSA-26', 'WSA-27'],
  pictures: ['appServer', 'listenerConnection'],
  acts: [
    start('appServer', (env) => ({
      env,
      timing: DEFAULT_TIMING,
      mode: 'shared',
      modeReason: 'it can be shared',
    })),
    toAppServer({ type: 'START' }, 'engine', 'start'),
    listens('launch'),
    startConnection,
    toConnection({ type: 'ADMITTED' }, 'listener', 'the upgrade was accepted'),
    toAppServer({ type: 'CLIENT.WAITS' }, 'client', 'wants a connection'),
    toAppServer({ type: 'INITIALIZE.SENT', client: 'c1' }, 'client', 'initialize'),
    toAppServer({ type: 'ANSWERED', client: 'c1' }, 'appServer', 'answers initialize'),
    ...initialize,
    toAppServer(
      {
        type: 'CHILD.EXITED',
        failure: { reason: 'appServerExited', message: 'The app server exited with code 1.', at: EPOCH },
      },
      'appServer',
      'exits with code 1',
    ),
    toSession({ type: 'CLOSE' }, 'appServer', 'its connection is gone'),
    toConnection({ type: 'APP_SERVER.CLOSED' }, 'appServer', 'its connection is gone'),
    toConnection({ type: 'ENDED' }, 'client', 'answers the close frame'),
    toAppServer({ type: 'CLIENT.WAITS' }, 'client', 'connects again'),
    listens('relaunch'),
    toAppServer({ type: 'INITIALIZE.SENT', client: 'c2' }, 'client', 'initialize'),
    toAppServer({ type: 'ANSWERED', client: 'c2' }, 'appServer', 'answers initialize'),
  ],
  open: [],
};

const GOOD: CredentialFacts = { ...NOTHING_PRESENTED, presented: 'one', matches: true };
const WRONG: CredentialFacts = { ...GOOD, matches: false };

const upgrade = (words: string, facts: Partial<UpgradeFacts>): readonly Act[] => [
  startConnection,
  {
    ...start('websocketAuth', () => ({
      ...{ mode: 'queryToken', enforced: true, hasOrigin: false, request: 'upgrade', admission: 'open' },
      credential: GOOD,
      ...facts,
    })),
    ...{ from: 'client', words },
  },
  { kind: 'verdict' },
];

const used: readonly Act[] = [...initialize, ...leaves];

const queryToken: Story = {
  name: 'upgrade-query-token',
  title: 'A client connects: the token of the connect URL',
  summary: 'The default mode: the URL that the engine prints contains the token.',
  text: [
    'The engine prints a connect URL with a random token. A client that uses this URL is accepted. A client without the token, or with a wrong one, is rejected with 401, also on this machine.',
    'With --no-token-check the token is not required: the last client connects without it. That is visible everywhere as “degraded”, and such a client may do less.',
  ],
  requirements: ['WSA-1', 'WSA-2', 'WSA-3', 'WSA-4', 'WSA-9'],
  pictures: ['websocketAuth', 'listenerConnection'],
  acts: [
    ...upgrade('GET /?token=<the token>', {}),
    ...used,
    ...upgrade('GET / without a token', { credential: NOTHING_PRESENTED }),
    ...upgrade('GET /?token=<another>', { credential: WRONG }),
    ...upgrade('GET / with --no-token-check', { enforced: false, credential: NOTHING_PRESENTED }),
    ...used,
  ],
  open: [],
};

const capability: Story = {
  name: 'upgrade-capability',
  title: 'A client connects: a capability token',
  summary: 'The client sends a bearer token whose digest the engine knows.',
  text: [
    'The engine was started with the SHA-256 of a token, and never sees the token itself before a client presents it. The client sends it in the Authorization header; a token in the URL is ignored in this mode.',
    'A token with another digest is rejected, and so is a header that is not a bearer token.',
  ],
  requirements: ['WSA-2', 'WSA-6', 'WSA-10', 'WSA-11', 'WSA-13'],
  pictures: ['websocketAuth', 'listenerConnection'],
  acts: [
    ...upgrade('GET /, Authorization: Bearer <the token>', { mode: 'capability' }),
    ...used,
    ...upgrade('GET /, Authorization: Bearer <another>', { mode: 'capability', credential: WRONG }),
    ...upgrade('GET /, Authorization: Basic …', {
      mode: 'capability',
      credential: { ...NOTHING_PRESENTED, presented: 'malformed' },
    }),
    ...upgrade('GET / without the header', { mode: 'capability', credential: NOTHING_PRESENTED }),
  ],
  open: [],
};

const signedBearer: Story = {
  name: 'upgrade-signed-bearer',
  title: 'A client connects: a signed token',
  summary: 'The client sends a JWT that is signed with the shared secret; its claims are checked one by one.',
  text: [
    'The engine and the issuer of the tokens share a secret. The client sends a JWT in the Authorization header. The engine checks the signature first, and then the claims: expiry, start, issuer, audience. Each refusal names the one check that failed.',
  ],
  requirements: ['WSA-2', 'WSA-10', 'WSA-12', 'WSA-13'],
  pictures: ['websocketAuth', 'listenerConnection'],
  acts: [
    ...upgrade('GET /, Authorization: Bearer <a valid JWT>', { mode: 'signedBearer' }),
    ...used,
    ...upgrade('a JWT with a wrong signature', { mode: 'signedBearer', credential: WRONG }),
    ...upgrade('a JWT that has expired', { mode: 'signedBearer', credential: { ...GOOD, expired: true } }),
    ...upgrade('a JWT for another audience', {
      mode: 'signedBearer',
      credential: { ...GOOD, audienceMatches: false },
    }),
  ],
  open: [],
};

const filesystem: Story = {
  name: 'upgrade-filesystem',
  title: 'A client connects: a private unix socket',
  summary: 'The way to the socket is the credential: only this user can enter its directory.',
  text: [
    'The listener is a unix socket in a directory that only the user of the engine can enter. Who reaches the socket is that user, so no token is needed. The engine checks the directory at each upgrade: when somebody has opened it to others, clients are rejected. A web page can never connect, whatever the mode.',
  ],
  requirements: ['WSA-2', 'WSA-8', 'WSA-50', 'WSA-51'],
  pictures: ['websocketAuth', 'listenerConnection'],
  acts: [
    ...upgrade('GET / over the private socket', { mode: 'filesystem' }),
    ...used,
    ...upgrade('GET / after chmod 755 of the directory', { mode: 'filesystem', credential: WRONG }),
    ...upgrade('GET / with an Origin header', { mode: 'filesystem', hasOrigin: true }),
  ],
  open: [],
};

export const LOCAL_STORIES: readonly Story[] = [
  appServerDead,
  queryToken,
  capability,
  signedBearer,
  filesystem,
];
