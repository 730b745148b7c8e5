/** A real browser, driven over the DevTools protocol. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';

/** Debian's; CHROMIUM names another one. */
export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const noChromium = existsSync(CHROMIUM) ? false : `there is no ${CHROMIUM}`;

const LIMIT = 15_000;
const LOOK_AGAIN = 25;

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

export class Chromium {
  readonly #child: ChildProcess;
  readonly #socket: WebSocket;
  readonly #folder: string;
  readonly #waiting = new Map<
    number,
    { resolve(result: Record<string, unknown>): void; reject(error: Error): void }
  >();
  readonly #listeners = new Set<(answer: Answer) => void>();
  #lastId = 0;

  private constructor(child: ChildProcess, socket: WebSocket, folder: string) {
    this.#child = child;
    this.#socket = socket;
    this.#folder = folder;
    socket.on('message', (data) => {
      const answer = JSON.parse(String(data)) as Answer;
      for (const listener of this.#listeners) listener(answer);
      const waiting = answer.id === undefined ? undefined : this.#waiting.get(answer.id);
      if (answer.id === undefined || waiting === undefined) return;
      this.#waiting.delete(answer.id);
      if (answer.error === undefined) waiting.resolve(answer.result ?? {});
      else waiting.reject(new Error(answer.error.message));
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the browser is gone'));
      this.#waiting.clear();
    });
  }

  /** @param more Arguments that this test needs. */
  static async open(more: readonly string[] = []): Promise<Chromium> {
    const folder = await mkdtemp(join(tmpdir(), 'rc-engine-chromium-'));
    const child = spawn(
      CHROMIUM,
      [
        '--headless=new',
        '--remote-debugging-port=0',
        `--user-data-dir=${folder}`,
        '--no-sandbox',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--window-size=1400,900',
        ...more,
        'about:blank',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, HOME: folder } },
    );
    const url = await new Promise<string>((resolve, reject) => {
      let said = '';
      const timer = setTimeout(() => reject(new Error(`the browser did not start: ${said}`)), LIMIT * 2);
      child.once('exit', (code) => reject(new Error(`the browser ended with ${code}: ${said}`)));
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        const [, found] = /DevTools listening on (ws:\S+)/.exec(said) ?? [];
        if (found === undefined) return;
        clearTimeout(timer);
        resolve(found);
      });
    });
    const socket = new WebSocket(url, { perMessageDeflate: false });
    await new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return new Chromium(child, socket, folder);
  }

  call(method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#socket.send(
        JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }),
      );
    });
  }

  listen(listener: (answer: Answer) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A fresh profile each, as far as cookies go. */
  async page(url: string): Promise<Page> {
    const { browserContextId } = await this.call('Target.createBrowserContext');
    const { targetId } = await this.call('Target.createTarget', { url: 'about:blank', browserContextId });
    const { sessionId } = await this.call('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, String(sessionId), this.#folder);
    await page.begin(String(browserContextId));
    await page.go(url);
    return page;
  }

  async close(): Promise<void> {
    this.#socket.close();
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGTERM');
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), 3_000);
      await gone;
      clearTimeout(timer);
    }
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

export class Page {
  readonly downloads: string;
  /** What went wrong in the page: errors, refused loads, and requests to elsewhere. */
  readonly faults: string[] = [];
  readonly requests: string[] = [];
  /** Every frame that came over a WebSocket. */
  readonly frames: string[] = [];
  readonly #browser: Chromium;
  readonly #session: string;

  constructor(browser: Chromium, session: string, folder: string) {
    this.#browser = browser;
    this.#session = session;
    this.downloads = join(folder, 'downloads');
    browser.listen(({ sessionId, method, params }) => {
      if (sessionId === session && method !== undefined) this.#note(method, params ?? {});
    });
  }

  async begin(browserContextId: string): Promise<void> {
    for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await this.#call(`${domain}.enable`);
    await this.#browser.call('Browser.setDownloadBehavior', {
      behavior: 'allow',
      downloadPath: this.downloads,
      browserContextId,
    });
  }

  async go(url: string): Promise<void> {
    await this.#call('Page.navigate', { url });
    await this.until('document.readyState === "complete"', 'page');
  }

  /** The value of an expression, as JSON. */
  async eval<T = unknown>(expression: string): Promise<T> {
    const { result, exceptionDetails } = (await this.#call('Runtime.evaluate', {
      expression,
      returnByValue: true,
      awaitPromise: true,
      userGesture: true,
    })) as {
      result: { value: T };
      exceptionDetails?: { text: string; exception?: { description?: string } };
    };
    if (exceptionDetails !== undefined) {
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    }
    return result.value;
  }

  async until(expression: string, what: string, limitMs = LIMIT): Promise<void> {
    const limit = performance.now() + limitMs;
    for (;;) {
      const holds = await this.eval(`Boolean(${expression})`).catch(() => false);
      if (holds === true) return;
      if (performance.now() > limit) {
        const text = await this.eval<string>('document.body.innerText.slice(0, 2000)').catch(() => '');
        throw new Error(
          `no ${what} within ${limitMs} ms; the page says: ${text}; faults: ${this.faults.join('; ')}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
    }
  }

  /** A click where a person would click. */
  async click(selector: string): Promise<void> {
    const place = await this.eval<{ x: number; y: number } | null>(
      `(() => { const e = document.querySelector(${JSON.stringify(selector)}); if (!e) return null; const r = e.getBoundingClientRect(); return { x: r.x + r.width / 2, y: r.y + r.height / 2 }; })()`,
    );
    if (place === null) throw new Error(`the page has no ${selector}`);
    for (const type of ['mousePressed', 'mouseReleased']) {
      await this.#call('Input.dispatchMouseEvent', { type, ...place, button: 'left', clickCount: 1 });
    }
  }

  async dark(on: boolean): Promise<void> {
    await this.#call('Emulation.setEmulatedMedia', {
      features: [{ name: 'prefers-color-scheme', value: on ? 'dark' : 'light' }],
    });
  }

  /** Written when RC_ENGINE_SHOTS names a folder. */
  async shot(name: string): Promise<void> {
    const folder = process.env.RC_ENGINE_SHOTS;
    if (folder === undefined) return;
    const { data } = await this.#call('Page.captureScreenshot', { format: 'png' });
    await writeFile(join(folder, `${name}.png`), Buffer.from(String(data), 'base64'));
  }

  #call(method: string, params: object = {}): Promise<Record<string, unknown>> {
    return this.#browser.call(method, params, this.#session);
  }

  #note(method: string, params: Record<string, unknown>): void {
    if (method === 'Runtime.exceptionThrown') this.faults.push(JSON.stringify(params.exceptionDetails));
    if (method === 'Log.entryAdded') {
      const { level, text } = params.entry as { level: string; text: string };
      if (level === 'error') this.faults.push(text);
    }
    if (method === 'Network.requestWillBeSent') this.requests.push((params.request as { url: string }).url);
    if (method === 'Network.webSocketFrameReceived') {
      this.frames.push((params.response as { payloadData: string }).payloadData);
    }
  }
}
