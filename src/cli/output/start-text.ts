/** `start` for a person: one block that says how it is, and a line for each thing that happens. RC-132 */
import type { ClientChange, Engine } from '../../engine/engine.js';
import type { EngineStatus } from '../../engine/status.js';
import type { ListeningInfo } from '../../listener/status.js';
import { peerText } from '../../observe/peer-text.js';
import { RateLimit } from '../../observe/rate-limit.js';
import type { PairingResult } from '../../protocol/outcomes.js';
import { VERSION } from '../../protocol/version.js';
import { withCodexSignIn } from '../codex-sign-in.js';
import type { StartSettings } from '../settings/start-settings.js';
import { StartPairing } from '../start-pairing.js';
import { clock, type FirstScreen, headSections, liveSections, type ShownCode } from './first-screen.js';
import { layOut, widthOf, wrap } from './layout.js';
import { LiveBlock } from './live-block.js';
import { Progress } from './progress.js';
import type { StartOutput } from './start-output.js';
import { appServerFails, connectionOf } from './summary.js';
import { type Output, stdout, type Text, text } from './terminal.js';
import { COLOURS, meaningOf } from './text.js';

/** How long a start without a terminal waits for the connection before it shows the block, ms. */
const SETTLE_TIMEOUT = 2_000;
/** Between two looks at what has no event of its own: the account and the app server, ms. */
const LOOK_INTERVAL = 1_000;
/** A start that takes longer than this says so, ms. */
const SLOW_START = 1_000;
/** Lines about clients in a minute: more are counted. */
const CLIENT_LINES = 20;
const MINUTE = 60_000;

interface TextOptions {
  readonly settings: StartSettings;
  readonly verbose: boolean;
  readonly pair: boolean;
  /** The command line without the name of the program. */
  readonly argv: readonly string[];
}

export function textOutput(engine: Engine, options: TextOptions): StartOutput {
  return new StartText(engine, options, stdout);
}

class StartText implements StartOutput {
  readonly #engine: Engine;
  readonly #options: TextOptions;
  readonly #output: Output;
  readonly #block: LiveBlock | undefined;
  readonly #pairing: StartPairing;
  readonly #clientLines: RateLimit;
  #listening: ListeningInfo | undefined;
  #code: ShownCode | 'requested' | undefined;
  #before: EngineStatus | undefined;
  #withCodexSignIn: string | undefined;
  #shown = false;
  #stopping = false;
  #running = false;
  #settling: NodeJS.Timeout | undefined;
  #slow: NodeJS.Timeout | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(engine: Engine, options: TextOptions, output: Output) {
    this.#engine = engine;
    this.#options = options;
    this.#output = output;
    this.#block = output.overwrites ? new LiveBlock(output) : undefined;
    this.#pairing = new StartPairing(engine, {
      shown: (pairing) => void this.#showCode(pairing),
      claimed: () => this.#event('A device claimed the pairing code: it is paired now.'),
      ended: () => {
        this.#code = undefined;
        this.#look();
      },
    });
    this.#clientLines = new RateLimit(CLIENT_LINES, MINUTE, (count) =>
      this.#event(`${count} more clients came or left.`),
    );
    if (options.verbose) {
      const progress = new Progress(output);
      engine.on('report', (report) => progress.show(report));
    }
    engine.on('report', () => this.#look());
    engine.on('client', (change) => this.#client(change));
    engine.on('listening', (info) => {
      this.#listening = info;
    });
    if (this.#block !== undefined) {
      this.#slow = setTimeout(() => this.#block?.show([text`${'Starting rc-engine …'}`]), SLOW_START);
    }
  }

  started(): void {
    clearTimeout(this.#slow);
    const { argv, pair, settings } = this.#options;
    this.#withCodexSignIn = withCodexSignIn(argv, process.env);
    if (pair || settings.baseUrl === 'embedded') this.#code = 'requested';
    this.#running = true;
    // On a terminal the block follows what happens; elsewhere it is printed once, so it waits a little.
    if (this.#block === undefined) this.#settling = setTimeout(() => this.#begin(), SETTLE_TIMEOUT);
    else this.#begin();
    this.#look();
  }

  #begin(): void {
    clearTimeout(this.#settling);
    if (this.#shown || this.#stopping) return;
    this.#shown = true;
    this.#timer = setInterval(() => this.#look(), LOOK_INTERVAL).unref();
    const status = this.#engine.fullStatus;
    const head = this.#head(status);
    if (this.#block === undefined) this.#output.print(...head, ...this.#live(status), '');
    else this.#output.print(...head);
    this.#before = status;
    this.#look();
  }

  stopped(): void {
    clearTimeout(this.#slow);
    clearInterval(this.#timer);
    this.#clientLines.flush();
    this.#block?.close();
    if (this.#shown) this.#output.print('Stopped.');
  }

  #isSettled(status: EngineStatus): boolean {
    const { word } = connectionOf(status);
    return word !== 'connecting' && !(word === 'connected' && this.#code === 'requested');
  }

  /** Shows what has changed: the block in place on a terminal, and lines about what a person should notice. */
  #look(): void {
    if (!this.#running || this.#stopping) return;
    const status = this.#engine.fullStatus;
    if (status.remoteControl.state === 'stopping' || status.remoteControl.state === 'stopped') {
      this.#stopping = true;
      clearTimeout(this.#settling);
      clearInterval(this.#timer);
      this.#block?.close();
      return;
    }
    if (this.#code === 'requested') this.#pairing.look();
    if (!this.#shown) {
      if (this.#isSettled(status)) this.#begin();
      return;
    }
    this.#block?.show(this.#live(status));
    const before = this.#before;
    this.#before = status;
    if (before !== undefined) for (const line of changesOf(before, status)) this.#event(line);
  }

  #screen(status: EngineStatus): FirstScreen {
    const { settings, verbose } = this.#options;
    return {
      ...{ status, settings, verbose },
      listening: this.#listening,
      code: this.#code,
      withCodexSignIn: this.#withCodexSignIn,
    };
  }

  #head(status: EngineStatus): (string | Text)[] {
    const { paint } = this.#output;
    const width = widthOf(this.#output);
    const name = paint(COLOURS.bold, `rc-engine ${VERSION}`);
    const title = text`${name} runs on ${status.remoteControl.serverName}. Press Ctrl-C to stop it.`;
    const head = layOut(headSections(this.#screen(status), paint), width, paint);
    return ['', ...wrap(title, width), '', ...head, ...(head.length === 0 ? [] : [''])];
  }

  #live(status: EngineStatus): Text[] {
    const { paint } = this.#output;
    return layOut(liveSections(this.#screen(status), paint), widthOf(this.#output), paint);
  }

  async #showCode(pairing: PairingResult): Promise<void> {
    const code = pairing.manualPairingCode ?? pairing.pairingCode;
    this.#code = { code, expiresAt: pairing.expiresAt * 1000 };
    const { pair } = this.#options;
    if (pair && this.#output.isTTY) {
      const { qrCode } = await import('./qr.js');
      const qr = qrCode(pairing.pairingCode, this.#output, process.env);
      if (qr !== undefined) this.#output.print('', ...qr, '  Scan this code with the other device.');
    }
    if (this.#block === undefined && this.#shown) {
      this.#event(`Pairing code: ${code}. It works once, until ${clock(pairing.expiresAt * 1000)}.`);
    }
    this.#look();
  }

  #client({ change, origin, name }: ClientChange): void {
    if (!this.#shown || this.#stopping || origin === 'stdio') return;
    if (this.#clientLines.take()) {
      const who = name === null ? 'A client without a name' : peerText(name);
      const how = origin === 'remote' ? 'by remote control' : 'on this machine';
      this.#event(change === 'connected' ? `${who} connected ${how}.` : `${who} left (${how}).`);
    }
    this.#look();
  }

  #event(sentence: string): void {
    const { paint } = this.#output;
    const line = text`${paint(COLOURS.grey, clock(Date.now()))}  ${sentence}`;
    this.#output.print(...wrap(line, widthOf(this.#output)));
  }
}

/** What a person should notice between two looks. The first block has said how it was before. */
function changesOf(before: EngineStatus, now: EngineStatus): string[] {
  const lines: string[] = [];
  const [was, is] = [connectionOf(before), connectionOf(now)];
  const [old, link] = [before.remoteControl, now.remoteControl];
  if (old.status !== 'connected' && link.status === 'connected') {
    lines.push(`Connected as environment ${link.environmentId}.`);
  } else if (was.word !== is.word || (is.word === 'not connected' && was.why !== is.why)) {
    const why = is.why === '' ? '' : `: ${is.why}`;
    const lost = old.status === 'connected' && link.status !== 'connected' && is.word !== 'off';
    if (is.word !== 'connecting' || lost)
      lines.push(lost ? `The connection was lost${why === '' ? '.' : why}` : `${capital(is.word)}${why}`);
  }
  const replaced = link.replacedIdentity;
  if (replaced !== null && replaced.at !== old.replacedIdentity?.at) {
    lines.push(`This machine has a new identity, ${replaced.to}: pair each device again.`);
  }
  const [problem, known] = [now.account?.problem?.reason, before.account?.problem?.reason];
  if (problem !== undefined && problem !== known && problem !== is.reason)
    lines.push(`Sign-in: ${meaningOf(problem)}`);
  if ((before.account?.mode ?? null) !== (now.account?.mode ?? null) && now.account !== null) {
    lines.push(now.account.mode === null ? 'Signed out.' : 'Signed in.');
  }
  if (appServerFails(before) !== appServerFails(now)) {
    const health = now.appServerHealth;
    lines.push(
      appServerFails(now)
        ? `The app server does not work: ${health?.detail ?? meaningOf(health?.reason ?? 'appServerFailed')}`
        : 'The app server works again.',
    );
  }
  return lines;
}

const capital = (word: string): string => `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`;
