import type { ListenUrl } from '../../engine/options.js';
import { LISTEN_FORMS, parseListenUrl } from '../../listener/address.js';
import { normalizeAllowedHost } from '../../net/target.js';
import { ACCOUNT_SETTINGS, type AccountSettings } from './account-settings.js';
import { LISTENER_SETTINGS, type ListenerSettings } from './listener-settings.js';
import type { Setting } from './setting.js';

/** Local clients are served by default; only a client that knows the printed URL can connect. */
export const DEFAULT_LISTEN = 'ws://127.0.0.1:0';

/** MiB. */
export const DEFAULT_HISTORY_SIZE = 8;

const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug', 'trace'] as const;

const checkListen = (value: string): string | undefined => {
  const parsed = parseListenUrl(value);
  return 'invalid' in parsed ? parsed.invalid : undefined;
};

const checkHost = (value: string): string | undefined =>
  normalizeAllowedHost(value) === undefined
    ? 'must be a host name, or host:port, without a scheme'
    : undefined;

const checkInspect = (value: string): string | undefined =>
  /^(?:stately|(?:stately:)?\d{1,5})$/.test(value) && Number(value.replace(/\D/g, '')) < 65_536
    ? undefined
    : 'must be a port (0 for any free one), stately, or stately:PORT';

const checkStore = (value: string): string | undefined =>
  value === 'none' || value === 'memory:' || /^sqlite:./.test(value)
    ? undefined
    : 'must be sqlite:PATH, memory: or none';

/** All settings of `start`, in the order of the help. */
export const START_SETTINGS = [
  {
    name: 'baseUrl',
    type: 'string',
    description: 'Backend URL, or "embedded" to run a backend in this process',
    default: 'https://chatgpt.com/backend-api',
  },
  {
    name: 'allowHost',
    type: 'list',
    description: 'Additional https host that credentials may be sent to (repeatable)',
    check: checkHost,
  },
  ...ACCOUNT_SETTINGS,
  { name: 'caCert', type: 'string', description: 'PEM file with an additional certificate authority' },
  {
    name: 'listen',
    type: 'string',
    description: `Address for local clients: ${LISTEN_FORMS}`,
    // Not those with a colon, which separates words for the completion of bash.
    proposals: ['codex', 'off'],
    default: DEFAULT_LISTEN,
    check: checkListen,
  },
  ...LISTENER_SETTINGS,
  {
    name: 'remoteControl',
    type: 'string',
    values: ['on', 'off', 'preference'],
    description: 'Remote control in this run: on, off, or as the stored preference of the account says',
    default: 'on',
  },
  {
    name: 'maxRemoteClients',
    type: 'integer',
    min: 1,
    max: 65_536,
    description: 'Most streams of controllers at the same time',
    default: '4096',
  },
  {
    name: 'maxChildren',
    type: 'integer',
    min: 1,
    max: 65_536,
    description:
      'Most app-server processes of one controller; with one more stream, the one that was quiet for longest is closed',
    default: '16',
  },
  { name: 'clientName', type: 'string', description: 'Name of the client that the identity belongs to' },
  {
    name: 'authStartup',
    type: 'string',
    values: ['ready', 'recoverable'],
    description: 'When nobody is signed in: exit with code 3 (ready) or wait for a sign-in (recoverable)',
    default: 'ready with --listen off, otherwise recoverable',
  },
  {
    name: 'onConflict',
    type: 'string',
    values: ['wait', 'reenroll', 'exit'],
    description:
      'When another process is connected with the same identity: wait, request a new identity (reenroll), or exit',
    default: 'wait',
  },
  {
    name: 'store',
    type: 'string',
    description: 'Where the identity is stored: sqlite:PATH, memory: or none',
    default: 'sqlite:<home>/rc-engine.sqlite',
    check: checkStore,
  },
  {
    name: 'inspect',
    type: 'string',
    implicit: '0',
    description:
      'Serve a live page of the running statecharts on 127.0.0.1: a port, 0 for any free port; stately or stately:PORT shows them in the inspector of stately.ai, which receives names only',
    default: 'off',
    check: checkInspect,
  },
  {
    name: 'historySize',
    type: 'integer',
    min: 0,
    max: 4_096,
    description: 'Most MiB of the history in the home, which rc-engine history reads; 0: no history',
    default: String(DEFAULT_HISTORY_SIZE),
  },
  {
    name: 'historyDays',
    type: 'integer',
    min: 1,
    max: 3_650,
    description: 'Days after which the history is deleted',
    default: '30',
  },
  { name: 'json', type: 'boolean', description: 'Print JSON on stdout, one object per line' },
  {
    name: 'logLevel',
    type: 'string',
    values: LOG_LEVELS,
    description: 'Least severe messages in the log on stderr',
    default: 'info with --json, otherwise warn',
  },
  {
    name: 'logFormat',
    type: 'string',
    values: ['pretty', 'json'],
    description: 'Format of the log on stderr',
    default: 'json with --json, otherwise pretty',
  },
  {
    name: 'logFile',
    type: 'string',
    description:
      'File that also gets the log, as JSON, from level info on; at most four files of 5 MiB (PATH, PATH.1 …)',
    default: 'none',
  },
] as const satisfies readonly Setting[];

/** The values of `START_SETTINGS`. */
export interface StartSettings extends AccountSettings, ListenerSettings {
  readonly baseUrl?: string;
  readonly allowHost?: readonly string[];
  readonly caCert?: string;
  readonly listen?: ListenUrl;
  readonly remoteControl?: 'on' | 'off' | 'preference';
  readonly maxRemoteClients?: number;
  readonly maxChildren?: number;
  readonly clientName?: string;
  readonly authStartup?: 'ready' | 'recoverable';
  readonly onConflict?: 'wait' | 'reenroll' | 'exit';
  readonly store?: string;
  readonly inspect?: string;
  readonly historySize?: number;
  readonly historyDays?: number;
  readonly json?: boolean;
  readonly logLevel?: (typeof LOG_LEVELS)[number];
  readonly logFormat?: 'pretty' | 'json';
  readonly logFile?: string;
}
