/**
 * The stories of docs/stories: each way through the charts as a person expects it. The expectations are written by hand,
 * from the specification; the charts are run.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CHARTS, chartHashes } from '../../src/engine/charts.js';
import { readTimeline, restoreTimeline } from '../../src/inspector/saved-timeline.js';
import { pathOf, timelineText } from '../../src/stories/documents.js';
import { STORIES } from '../../src/stories/plots/index.js';
import { rowsOf } from '../../src/stories/rows.js';
import { play, type Story, StoryError } from '../../src/stories/story.js';
import { tmpFolder } from '../support/tmp.js';

const storyOf = (name: string): Story => {
  const story = STORIES.find((one) => one.name === name);
  if (story === undefined) throw new Error(`there is no story ${name}`);
  return story;
};

/** The states of a chart in a story, and the reason of each. Where regions are parallel, `region` selects one. */
function wayOf(name: string, chart: string, region = ''): string[] {
  const { before, moves } = pathOf(play(storyOf(name), CHARTS), chart);
  const prefix = `${chart}.${region}`;
  const way = [...(before === undefined ? [] : [before]), ...moves].map(({ states, reason }) => {
    const shown = states.filter((id) => id.startsWith(prefix)).map((id) => id.slice(prefix.length));
    return `${shown.join(' ')}: ${reason}`;
  });
  return way.filter((step, index) => step !== way[index - 1]);
}

/** What each story must say, in its own words. */
const WAYS: readonly (readonly [story: string, chart: string, region: string, way: readonly string[]])[] = [
  [
    'first-start',
    'remoteControl',
    '',
    [
      'idle: starting',
      'active.loadingAuth.reading: enabled',
      'active.loadingEnrollment.reading: enabled',
      'active.enrolling.requesting: enabled',
      'active.enrolling.persisting: enrolled',
      'active.connecting: enrolled',
      'active.connected: connected',
    ],
  ],
  [
    'restart',
    'remoteControl',
    '',
    [
      'idle: starting',
      'active.loadingAuth.reading: enabled',
      'active.loadingEnrollment.reading: enabled',
      'active.refreshing: enabled',
      'active.connecting: tokenRefreshed',
      'active.connected: connected',
    ],
  ],
  [
    'token-refused',
    'remoteControl',
    'active.',
    [
      'connected: connected',
      'backingOff.reconnecting: linkClosed',
      'connecting: retrying',
      'tokenInvalid.pausing: tokenRejected',
      'refreshing: tokenRejected',
      'connecting: tokenRefreshed',
      'connected: connected',
    ],
  ],
  [
    'account-refused',
    'remoteControl',
    'active.',
    [
      'refreshing: enabled',
      'recoveringAuth: backendUnauthorized',
      'backingOff.recovered.pausing: authRecovered',
      'refreshing: retrying',
      'recoveringAuth: backendUnauthorized',
      'backingOff.recovered.pausing: authRecovered',
      'refreshing: retrying',
      'connecting: tokenRefreshed',
      'connected: connected',
    ],
  ],
  [
    'account-refused',
    'authRecovery',
    '',
    [
      'managed.toReload: backendUnauthorized',
      'managed.reloading: backendUnauthorized',
      'managed.toRefresh: authRecovered',
      'managed.refreshing: authRecovered',
      'exhausted: authRecovered',
    ],
  ],
  [
    'enrollment-gone',
    'remoteControl',
    'active.',
    [
      'connected: connected',
      'backingOff.reconnecting: linkClosed',
      'connecting: retrying',
      'reenrolling: serverGone',
      'enrolling.persisting: identityReplaced',
      'connecting: identityReplaced',
      'connected: connected',
    ],
  ],
  [
    'ambiguous-404',
    'remoteControl',
    'active.',
    [
      'connected: connected',
      'backingOff.reconnecting: linkClosed',
      'connecting: retrying',
      'verifyingEnrollment: ambiguousNotFound',
      'backingOff.failed: identityVerified',
      'connecting: retrying',
      'connected: connected',
    ],
  ],
  [
    'conflict',
    'remoteControl',
    'active.',
    [
      'connected: connected',
      'backingOff.failed: linkLost',
      'connecting: retrying',
      'backingOff.handover: connectionConflict',
      'connecting: retrying',
      'backingOff.handover: connectionConflict',
      'connecting: retrying',
      'backingOff.failed: connectionConflict',
      'connecting: retrying',
      'connected: connected',
    ],
  ],
  [
    'signed-out',
    'remoteControl',
    'active.',
    [
      'connected: connected',
      'awaitingAuth.missing: authMissing',
      'loadingAuth.reloading: authMissing',
      'awaitingAuth.missing: authMissing',
      'loadingAuth.reloading: authMissing',
      'loadingEnrollment.reading: authMissing',
      'refreshing: authMissing',
      'connecting: tokenRefreshed',
      'connected: connected',
    ],
  ],
  [
    'signed-out',
    'account',
    'auth.',
    [
      'chatgpt.ready: authChanged',
      'signingOut: authChanged',
      'signedOut: signedOut',
      'chatgpt.ready: authChanged',
    ],
  ],
  [
    'sign-in-browser',
    'account',
    'login.',
    [
      'idle: authChanged',
      'signingIn.opening: loginStarted',
      'signingIn.waiting: loginStarted',
      'signingIn.exchanging: loginCodeReceived',
      'signingIn.saving: loginCodeReceived',
      'signingIn.awaitingSuccess: authChanged',
      'signingIn.completing: authChanged',
      'idle: signedIn',
    ],
  ],
  [
    'sign-in-device',
    'account',
    'login.',
    [
      'idle: authChanged',
      'signingIn.opening: loginStarted',
      'signingIn.waiting: loginStarted',
      'signingIn.exchanging: loginCodeReceived',
      'signingIn.saving: loginCodeReceived',
      'signingIn.awaitingSuccess: authChanged',
      'signingIn.completing: authChanged',
      'idle: signedIn',
    ],
  ],
  [
    'sign-in-device',
    'login',
    '',
    [
      'checking: loginStarted',
      'device.requesting: loginStarted',
      'device.polling: loginStarted',
      'exchanging: loginCodeReceived',
      'saving: loginCodeReceived',
      'completing: loginCodeReceived',
      'done: signedIn',
    ],
  ],
  [
    'sign-in-device',
    'remoteControl',
    'active.',
    [
      'awaitingAuth.missing: authMissing',
      'loadingAuth.reading: authChanged',
      'loadingEnrollment.reading: authChanged',
      'enrolling.requesting: authChanged',
      'enrolling.persisting: enrolled',
      'connecting: enrolled',
      'connected: connected',
    ],
  ],
  [
    'tokens-shared',
    'accountTokens',
    '',
    [
      'reloading: starting',
      'locking.trying: starting',
      'locking.pausing: starting',
      'locking.trying: starting',
      'refreshing.checking: starting',
      'releasing: tokensReloaded',
      'done: tokensReloaded',
      'reloading: starting',
      'locking.trying: starting',
      'refreshing.checking: starting',
      'refreshing.preparing: starting',
      'refreshing.redeeming: starting',
      'refreshing.otherProgram.looking: refreshTokenReused',
      'refreshing.otherProgram.pausing: refreshTokenReused',
      'refreshing.otherProgram.looking: refreshTokenReused',
      'releasing: tokensReloaded',
      'done: tokensReloaded',
      'reloading: starting',
      'locking.trying: starting',
      'refreshing.checking: starting',
      'refreshing.preparing: starting',
      'refreshing.redeeming: starting',
      'refreshing.saving: starting',
      'releasing: tokensRefreshed',
      'done: tokensRefreshed',
    ],
  ],
  [
    'app-server-dead',
    'appServer',
    '',
    [
      'idle: appServerNotStarted',
      'starting.launching: appServerStarting',
      'listening: appServerListening',
      'serving.shared: appServerServing',
      'backingOff: appServerExited',
      'starting.relaunching: appServerExited',
      'listening: appServerListening',
      'serving.shared: appServerServing',
    ],
  ],
  [
    'app-server-dead',
    'listenerConnection',
    '',
    ['authorizing: null', 'open: null', 'closing: null', 'closed: null'],
  ],
  [
    'upgrade-query-token',
    'websocketAuth',
    '',
    [
      'established: tokenMatched',
      'rejected: missingToken',
      'rejected: invalidToken',
      'degraded: uncheckedMissing',
    ],
  ],
  [
    'upgrade-capability',
    'websocketAuth',
    '',
    [
      'established: capabilityMatched',
      'rejected: invalidCapability',
      'rejected: malformedAuthorization',
      'rejected: missingBearer',
    ],
  ],
  [
    'upgrade-signed-bearer',
    'websocketAuth',
    '',
    [
      'established: jwtVerified',
      'rejected: invalidJwt',
      'rejected: expiredJwt',
      'rejected: audienceMismatch',
    ],
  ],
  [
    'upgrade-filesystem',
    'websocketAuth',
    '',
    ['established: socketPrivate', 'rejected: socketExposed', 'rejected: originRefused'],
  ],
];

describe('each story takes the way through the charts that a person expects', () => {
  it.each(WAYS)('%s: %s %s', (story, chart, region, way) => {
    expect(wayOf(story, chart, region)).toEqual(way);
  });

  it('leaves no story without an expectation', () => {
    expect([...new Set(WAYS.map(([story]) => story))]).toEqual(STORIES.map(({ name }) => name));
  });
});

describe('a story', () => {
  it('cannot say what the charts do not ask for', () => {
    const story = storyOf('restart');
    const enrolled = {
      ...story,
      acts: story.acts.map((act) =>
        act.kind === 'answer' && act.to === 'remoteControl.refresh'
          ? { ...act, to: 'remoteControl.enroll' }
          : act,
      ),
    };
    expect(() => play(enrolled, CHARTS)).toThrow(StoryError);
    expect(() => play(enrolled, CHARTS)).toThrow(
      /Nobody waits for remoteControl\.enroll.*remoteControl\.refresh/,
    );
  });

  it('shows what the first state of a chart asks for', () => {
    const rows = rowsOf(play(storyOf('tokens-shared'), CHARTS));
    const words = rows.flatMap((row) => (row.kind === 'arrow' ? row.words : []));
    expect(words.slice(0, 4)).toEqual([
      'refresh the tokens: they end soon',
      'read the account file',
      'the tokens that are in use',
      'take the lock',
    ]);
  });

  it('cannot leave a question of the charts without an answer', () => {
    const story = storyOf('restart');
    expect(() => play({ ...story, acts: story.acts.slice(0, -1) }, CHARTS)).toThrow(
      /ends while these wait: remoteControl\.dial/,
    );
  });

  it.each(STORIES.map(({ name }) => name))('%s is replayed by the inspector', async (name) => {
    const { stage } = play(storyOf(name), CHARTS);
    const file = join(await tmpFolder(), 'story.json');
    await writeFile(file, timelineText(stage, CHARTS));
    const timeline = restoreTimeline(await readTimeline(file, chartHashes()));
    expect(timeline.next).toBe(stage.recorder.timeline.next);
    expect(stage.recorder.internalErrors).toBe(0);
  });
});
