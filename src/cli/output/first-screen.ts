/** What `start` shows: what runs, for whom, what is missing and the command for it. RC-132 */

import { DEFAULT_BASE_URL } from '../../engine/options.js';
import type { EngineStatus } from '../../engine/status.js';
import type { ListeningInfo } from '../../listener/status.js';
import type { StartSettings } from '../settings/start-settings.js';
import { command, homeFlag, suggested } from '../suggested.js';
import { codexRecipe } from './codex-recipe.js';
import { type Line, type Section, command as whole } from './layout.js';
import { TONE_COLOURS } from './status-screen.js';
import { accountLines, adviceFor, appServerLines, clockLines, connectionOf, namesOf } from './summary.js';
import { type Paint, text } from './terminal.js';
import { COLOURS } from './text.js';

/** A pairing code that is still worth showing. */
export interface ShownCode {
  readonly code: string;
  /** Wall-clock ms. */
  readonly expiresAt: number;
}

export interface FirstScreen {
  readonly status: EngineStatus;
  readonly settings: StartSettings;
  /** Undefined without a listener. */
  readonly listening: ListeningInfo | undefined;
  readonly code: ShownCode | 'requested' | undefined;
  /** The command that starts this engine with the sign-in of Codex CLI; undefined where there is none. */
  readonly withCodexSignIn: string | undefined;
  /** More than one screen may take: how clients share the app server, and why. */
  readonly verbose: boolean;
}

/** What stays as it is: how programs on this machine connect. Printed once, because it holds the connect URL. WSA-5 */
export function headSections(screen: FirstScreen, paint: Paint): Section[] {
  const { home, remoteControl: link } = screen.status;
  const { baseUrl } = link;
  return [
    ...listenerSections(screen, paint),
    ...(homeFlag(home) === '' ? [] : [['home', [home]] satisfies Section]),
    ...(baseUrl === '' || baseUrl.replace(/\/$/, '') === DEFAULT_BASE_URL
      ? []
      : [['backend', [baseUrl]] satisfies Section]),
  ];
}

/** What changes: whether this machine can be controlled, what is missing, and who is there. */
export function liveSections(screen: FirstScreen, paint: Paint): Section[] {
  const { status, settings } = screen;
  const { remoteControl: link, home } = status;
  const signedOut = status.account !== null && status.account.mode === null;
  const clock = clockLines(status);
  return [
    ['status', statusLines(screen, paint)],
    ...(clock.length === 0 ? [] : [['clock', clock] satisfies Section]),
    ...(link.status === 'connected' ? pairingSections(screen, paint) : []),
    // The first line has said that nobody is signed in.
    ...(signedOut || settings.baseUrl === 'embedded'
      ? []
      : [['account', accountLines(status, home)] satisfies Section]),
    ['app server', appServerSection(screen)],
    ...clientSections(status),
    ['see also', [whole(command('status', home))]],
  ];
}

function statusLines({ status, withCodexSignIn }: FirstScreen, paint: Paint): Line[] {
  const { remoteControl: link, home } = status;
  const { tone, word, why, reason } = connectionOf(status);
  const shown = paint(TONE_COLOURS[tone], word);
  if (word === 'connected') {
    const line = text`${shown} as environment ${link.environmentId}${why === '' ? '' : `, ${why}`}`;
    const replaced = link.replacedIdentity === null ? [] : adviceFor('identityReplaced', home);
    return [line, ...replaced];
  }
  if (word === 'connecting') return [text`${shown} to ${hostOf(link.baseUrl)}`];
  const lines: Line[] = [why === '' ? shown : text`${shown}: ${why}`, ...adviceFor(reason, home)];
  if (link.nextAttemptAt !== null && !link.state.startsWith('active.awaitingAuth')) {
    lines.push(`Next attempt at ${clock(link.nextAttemptAt)}.`);
  }
  if (withCodexSignIn !== undefined && reason.startsWith('auth')) {
    lines.push(
      'Codex CLI is signed in on this machine. To use its sign-in, stop this engine (Ctrl-C) and run:',
      whole(withCodexSignIn),
    );
  }
  return lines;
}

/** `20:15:03`, in the time zone of this machine. */
export const clock = (time: number): string => new Date(time).toTimeString().slice(0, 8);

function hostOf(baseUrl: string): string {
  try {
    return new URL(baseUrl).host;
  } catch {
    return baseUrl;
  }
}

/** How a device gets access: the code, or the command that shows one. */
function pairingSections({ status, settings, code }: FirstScreen, paint: Paint): Section[] {
  const { home, remoteControl: link } = status;
  if (code === 'requested') return [];
  if (code === undefined) {
    return [
      [
        'pair',
        ['To let a device control this machine, run in another terminal:', whole(command('pair', home))],
      ],
    ];
  }
  const valid = text`${paint(COLOURS.bold, code.code)}  works once, until ${clock(code.expiresAt)}. Enter it on the other device.`;
  const shown: Section = ['pairing code', [valid]];
  if (settings.baseUrl !== 'embedded') return [shown];
  // As a variable: other programs can read the arguments of a process.
  const call = suggested(`rc-engine call --base-url ${link.baseUrl} engine/status/read`, undefined);
  return [
    shown,
    [
      'try it',
      [
        'To control this machine as a device does, run in another terminal:',
        whole(`RC_ENGINE_PAIRING_CODE=${code.code} ${call}`),
      ],
    ],
  ];
}

function appServerSection({ status, settings, verbose }: FirstScreen): Line[] {
  // The home of a trial ends with it.
  const home = settings.baseUrl === 'embedded' ? undefined : status.home;
  const lines = appServerLines(status, home);
  const { appServerHealth: health } = status;
  const explained = verbose && health !== null && health.mode !== 'builtin';
  return explained ? [...lines, `It serves clients this way because ${health.modeReason}.`] : lines;
}

function clientSections({ remoteClients, connections }: EngineStatus): Section[] {
  const names = [
    ...remoteClients.map(({ name, clientId }) => name ?? clientId),
    ...connections.filter(({ origin }) => origin !== 'stdio').map(({ client }) => client),
  ];
  return names.length === 0 ? [] : [['clients', [`${names.length}: ${namesOf(names)}`]]];
}

const AUTHORITY = {
  queryToken: 'token in the connect URL',
  capability: 'capability token in Authorization: Bearer',
  signedBearer: 'signed token in Authorization: Bearer',
  filesystem: 'only you can enter the directory of the socket',
} as const;

/** How programs on this machine connect: the address, what it requires, and warnings. WSA-4, WSA-5 */
function listenerSections({ status, settings, listening }: FirstScreen, paint: Paint): Section[] {
  if (listening === undefined) return [];
  const { url, authMode, enforced, warnings, closeOnTokenExpiry } = listening;
  const connectUrl = listening.connectUrl.reveal();
  const withToken = connectUrl !== url;
  const lines: Line[] = [
    withToken
      ? 'Programs on this machine connect with this URL. Its token is new at each start:'
      : `Programs on this machine connect to this address (${AUTHORITY[authMode]}):`,
    whole(connectUrl),
  ];
  if (!enforced) {
    lines.push(
      text`${paint(COLOURS.yellow, 'The token is NOT enforced (--no-token-check):')} connections without it are accepted, with fewer rights.`,
    );
  }
  if (authMode === 'signedBearer') {
    lines.push(
      `A token that expires ${closeOnTokenExpiry ? 'closes open connections' : 'does not close open connections'}.`,
    );
  }
  lines.push(...warnings.map((warning) => text`${paint(COLOURS.yellow, 'Warning:')} ${warning}`));
  const recipe = codexRecipe(status.appServer, settings, listening);
  return [
    ['local use', lines],
    ...(recipe.length === 0
      ? []
      : [
          [
            'codex',
            recipeLines(recipe, settings.baseUrl === 'embedded' ? undefined : status.home),
          ] satisfies Section,
        ]),
  ];
}

/** The first line is a sentence where more than one command follows. */
function recipeLines(recipe: readonly string[], home: string | undefined): Line[] {
  const [first = '', ...rest] = recipe;
  const isCommand = /^(?:codex|RC_TOKEN=)/.test(first) && !first.startsWith('codex,');
  return isCommand
    ? ['Connect Codex CLI with:', ...recipe.map((line) => whole(suggested(line, home)))]
    : [`Codex CLI: ${first}`, ...rest.map((line) => whole(suggested(line, home)))];
}
