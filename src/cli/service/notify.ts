/**
 * Reports to systemd: READY, the status in words, and signs of life. Node has no unix datagram sockets, so each report is
 * one run of `systemd-notify`; the unit allows that with NotifyAccess=all. RC-129
 */
import { spawn } from 'node:child_process';
import type { TimedReport } from '../../remote-control/status.js';
import { meaningOf } from '../output/text.js';

/** Between two changes of the status, ms: a link that flaps must not start a process each time. */
const STATUS_INTERVAL = 1_000;
/** One run of systemd-notify, ms. */
const RUN_TIMEOUT = 10_000;

export interface NotifySettings {
  readonly socket: string;
  /** Between two signs of life, ms; undefined: systemd expects none. */
  readonly interval: number | undefined;
}

/** Takes the variables out of the environment, so that no app server can report in the name of the engine. */
export function takeNotifySettings(env: NodeJS.ProcessEnv, pid: number): NotifySettings | undefined {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec, WATCHDOG_PID: watched } = env;
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name];
  if (socket === undefined || socket === '') return undefined;
  const limit = Number(usec) / 1_000;
  const mine = watched === undefined || watched === String(pid);
  // Half of the limit, as sd_watchdog_enabled(3) recommends.
  return { socket, interval: mine && limit > 0 ? limit / 2 : undefined };
}

type Report = Pick<TimedReport, 'status' | 'reason' | 'detail'>;

export interface NotifySource {
  /** The state of the remoteControl chart; undefined: the chart has ended or does not answer, so no sign of life is sent. */
  readonly report: () => Report | undefined;
  readonly onFailure: (message: string) => void;
}

export class ServiceNotifier {
  readonly #settings: NotifySettings;
  readonly #source: NotifySource;
  #running: Promise<void> | undefined;
  #waiting: string[] = [];
  #status = '';
  #watchdog: NodeJS.Timeout | undefined;
  #statusTimer: NodeJS.Timeout | undefined;
  #failed = false;
  #stopped = false;

  constructor(settings: NotifySettings, source: NotifySource) {
    this.#settings = settings;
    this.#source = source;
  }

  /** The engine has started. From now on it gives signs of life while its chart runs. */
  ready(): void {
    this.#send(['READY=1', ...this.#statusLine()]);
    const { interval } = this.#settings;
    if (interval === undefined) return;
    this.#watchdog = setInterval(() => {
      if (this.#source.report() !== undefined) this.#send(['WATCHDOG=1']);
    }, interval);
    this.#watchdog.unref();
  }

  /** The chart has another state. */
  changed(): void {
    this.#statusTimer ??= setTimeout(() => {
      this.#statusTimer = undefined;
      const line = this.#statusLine();
      if (line.length > 0) this.#send(line);
    }, STATUS_INTERVAL).unref();
  }

  /** Resolves when systemd has been informed. */
  async stopping(): Promise<void> {
    if (this.#stopped) return this.#running;
    this.#stopped = true;
    clearInterval(this.#watchdog);
    clearTimeout(this.#statusTimer);
    this.#send(['STOPPING=1', 'STATUS=Stopping']);
    await this.#running;
  }

  #statusLine(): string[] {
    const report = this.#source.report();
    const text = report === undefined ? '' : statusText(report);
    if (text === this.#status || text === '') return [];
    this.#status = text;
    return [`STATUS=${text}`];
  }

  /** One process at a time; what comes meanwhile goes together into the next one. */
  #send(lines: readonly string[]): void {
    this.#waiting.push(...lines);
    this.#running ??= this.#drain().finally(() => {
      this.#running = undefined;
    });
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = [...new Set(this.#waiting)];
      this.#waiting = [];
      const failure = await notifyOnce(this.#settings.socket, lines);
      if (failure !== undefined && !this.#failed)
        this.#source.onFailure(`systemd is not informed: ${failure}`);
      this.#failed = failure !== undefined;
    }
  }
}

/** One line for `systemctl status`. */
export function statusText({ status, reason, detail }: Report): string {
  const why = (detail ?? meaningOf(reason)).replace(/\.$/, '');
  const text = status === 'connected' ? 'Connected' : `${STATUS_WORDS[status]}: ${why}`;
  return text.replace(/[\p{Cc}\p{Cf}]/gu, ' ').slice(0, 300);
}

const STATUS_WORDS = {
  connecting: 'Connecting',
  errored: 'Not connected',
  disabled: 'Remote control is off',
} as const;

/** Why systemd was not informed; undefined: it was. */
function notifyOnce(socket: string, lines: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn('systemd-notify', lines, {
      env: { PATH: process.env.PATH, NOTIFY_SOCKET: socket },
      stdio: 'ignore',
      timeout: RUN_TIMEOUT,
    });
    child.once('error', (error) => resolve(`systemd-notify cannot be run: ${error.message}`));
    child.once('exit', (code, signal) =>
      resolve(code === 0 ? undefined : `systemd-notify ended with ${signal ?? `code ${code}`}`),
    );
  });
}
