/** A real browser, driven over the DevTools protocol. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';

/** Default of Debian; the variable CHROMIUM names another one. */
export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const noChromium = existsSync(CHROMIUM) ? false : `${CHROMIUM} does not exist`;

const DEADLINE = 15_000;
const POLL_INTERVAL = 25;
const KEY_CODES: Readonly<Record<string, number>> = {
  Tab: 9,
  Enter: 13,
  Escape: 27,
  ' ': 32,
  PageUp: 33,
  PageDown: 34,
  End: 35,
  Home: 36,
  ArrowLeft: 37,
  ArrowUp: 38,
  ArrowRight: 39,
  ArrowDown: 40,
};

interface DevToolsMessage {
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
  readonly #directory: string;
  readonly #pending = new Map<
    number,
    { resolve(result: Record<string, unknown>): void; reject(error: Error): void }
  >();
  readonly #listeners = new Set<(answer: DevToolsMessage) => void>();
  /** Each page has a browser context of its own. */
  readonly #contexts: string[] = [];
  #lastId = 0;

  private constructor(child: ChildProcess, socket: WebSocket, directory: string) {
    this.#child = child;
    this.#socket = socket;
    this.#directory = directory;
    socket.on('message', (data) => {
      const answer = JSON.parse(String(data)) as DevToolsMessage;
      for (const listener of this.#listeners) listener(answer);
      const waiting = answer.id === undefined ? undefined : this.#pending.get(answer.id);
      if (answer.id === undefined || waiting === undefined) return;
      this.#pending.delete(answer.id);
      if (answer.error === undefined) waiting.resolve(answer.result ?? {});
      else waiting.reject(new Error(answer.error.message));
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      for (const { reject } of this.#pending.values()) reject(new Error('the browser has exited'));
      this.#pending.clear();
    });
  }

  /** @param extraArguments Further arguments for this test. */
  static async open(extraArguments: readonly string[] = []): Promise<Chromium> {
    const directory = await mkdtemp(join(tmpdir(), 'rc-engine-chromium-'));
    const child = spawn(
      CHROMIUM,
      [
        '--headless=new',
        '--remote-debugging-port=0',
        `--user-data-dir=${directory}`,
        '--no-sandbox',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--window-size=1400,900',
        ...extraArguments,
        'about:blank',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, HOME: directory } },
    );
    const url = await new Promise<string>((resolve, reject) => {
      let output = '';
      const timer = setTimeout(() => reject(new Error(`the browser did not start: ${output}`)), DEADLINE * 2);
      child.once('exit', (code) => reject(new Error(`the browser exited with ${code}: ${output}`)));
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        const [, found] = /DevTools listening on (ws:\S+)/.exec(output) ?? [];
        if (found === undefined) return;
        clearTimeout(timer);
        resolve(found);
      });
    });
    const socket = new WebSocket(url, { perMessageDeflate: false });
    await new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return new Chromium(child, socket, directory);
  }

  call(method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#socket.send(
        JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }),
      );
    });
  }

  listen(listener: (answer: DevToolsMessage) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Opens a page. Each page has its own cookies. */
  async page(url: string): Promise<Page> {
    const { browserContextId } = await this.call('Target.createBrowserContext');
    this.#contexts.push(String(browserContextId));
    const { targetId } = await this.call('Target.createTarget', { url: 'about:blank', browserContextId });
    const { sessionId } = await this.call('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, String(sessionId), this.#directory);
    await page.open(String(browserContextId));
    await page.go(url);
    return page;
  }

  /** Closes every page: pages of earlier tests take processor time from the next ones. */
  async closePages(): Promise<void> {
    for (const browserContextId of this.#contexts.splice(0)) {
      await this.call('Target.disposeBrowserContext', { browserContextId });
    }
  }

  async close(): Promise<void> {
    this.#socket.close();
    const exited = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGTERM');
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), 3_000);
      await exited;
      clearTimeout(timer);
    }
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

export class Page {
  readonly downloads: string;
  /** Errors in the page: exceptions and refused loads. */
  readonly errors: string[] = [];
  readonly requests: string[] = [];
  /** Every received WebSocket frame. */
  readonly frames: string[] = [];
  readonly #browser: Chromium;
  readonly #session: string;

  constructor(browser: Chromium, session: string, directory: string) {
    this.#browser = browser;
    this.#session = session;
    this.downloads = join(directory, 'downloads');
    browser.listen(({ sessionId, method, params }) => {
      if (sessionId === session && method !== undefined) this.#record(method, params ?? {});
    });
  }

  async open(browserContextId: string): Promise<void> {
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

  async until(expression: string, what: string, limitMs = DEADLINE): Promise<void> {
    const limit = performance.now() + limitMs;
    for (;;) {
      const result = await this.eval(`Boolean(${expression})`).catch(() => false);
      if (result === true) return;
      if (performance.now() > limit) {
        const text = await this.eval<string>('document.body.innerText.slice(0, 2000)').catch(() => '');
        throw new Error(
          `no ${what} within ${limitMs} ms; text of the page: ${text}; errors: ${this.errors.join('; ')}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL));
    }
  }

  /** Clicks in the middle of an element. */
  async click(selector: string): Promise<void> {
    const point = await this.#middleOf(selector);
    for (const type of ['mousePressed', 'mouseReleased']) {
      await this.#call('Input.dispatchMouseEvent', { type, ...point, button: 'left', clickCount: 1 });
    }
  }

  /** Presses and releases a key, such as `a`, `Enter` or `ArrowLeft`. */
  async press(key: string): Promise<void> {
    const text = key.length === 1 ? { text: key } : key === 'Enter' ? { text: '\r' } : {};
    const named = { key, code: key === ' ' ? 'Space' : key, windowsVirtualKeyCode: KEY_CODES[key] ?? 0 };
    await this.#call('Input.dispatchKeyEvent', { type: 'keyDown', ...named, ...text });
    await this.#call('Input.dispatchKeyEvent', { type: 'keyUp', ...named });
  }

  /** Turns the wheel at the middle of an element; up is negative. */
  async wheel(selector: string, deltaY: number): Promise<void> {
    const { x, y } = await this.#middleOf(selector);
    await this.#call('Input.dispatchMouseEvent', { type: 'mouseWheel', x, y, deltaX: 0, deltaY });
  }

  /** Presses at the middle of an element, moves and releases. */
  async drag(selector: string, by: { readonly x: number; readonly y: number }): Promise<void> {
    const { x, y } = await this.#middleOf(selector);
    const mouse = (type: string, point: object, buttons: number) =>
      this.#call('Input.dispatchMouseEvent', { type, ...point, button: 'left', buttons, clickCount: 1 });
    await mouse('mousePressed', { x, y }, 1);
    for (const part of [0.3, 0.6, 1])
      await mouse('mouseMoved', { x: x + by.x * part, y: y + by.y * part }, 1);
    await mouse('mouseReleased', { x: x + by.x, y: y + by.y }, 0);
  }

  async size(width: number, height: number): Promise<void> {
    await this.#call('Emulation.setDeviceMetricsOverride', {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: false,
    });
  }

  /** Chooses files in a file input. */
  async choose(selector: string, files: readonly string[]): Promise<void> {
    const { root } = (await this.#call('DOM.getDocument')) as { root: { nodeId: number } };
    const { nodeId } = await this.#call('DOM.querySelector', { nodeId: root.nodeId, selector });
    await this.#call('DOM.setFileInputFiles', { nodeId, files });
  }

  async #middleOf(selector: string): Promise<{ x: number; y: number }> {
    const point = await this.eval<{ x: number; y: number } | null>(
      `(() => { const e = document.querySelector(${JSON.stringify(selector)}); if (!e) return null; const r = e.getBoundingClientRect(); return { x: r.x + r.width / 2, y: r.y + r.height / 2 }; })()`,
    );
    if (point === null) throw new Error(`the page has no ${selector}`);
    return point;
  }

  async dark(on: boolean): Promise<void> {
    await this.#call('Emulation.setEmulatedMedia', {
      features: [{ name: 'prefers-color-scheme', value: on ? 'dark' : 'light' }],
    });
  }

  /** Writes a screenshot when RC_ENGINE_SHOTS names a directory. */
  async screenshot(name: string): Promise<void> {
    const directory = process.env.RC_ENGINE_SHOTS;
    if (directory === undefined) return;
    const { data } = await this.#call('Page.captureScreenshot', { format: 'png' });
    await writeFile(join(directory, `${name}.png`), Buffer.from(String(data), 'base64'));
  }

  #call(method: string, params: object = {}): Promise<Record<string, unknown>> {
    return this.#browser.call(method, params, this.#session);
  }

  #record(method: string, params: Record<string, unknown>): void {
    if (method === 'Runtime.exceptionThrown') this.errors.push(JSON.stringify(params.exceptionDetails));
    if (method === 'Log.entryAdded') {
      const { level, text } = params.entry as { level: string; text: string };
      if (level === 'error') this.errors.push(text);
    }
    if (method === 'Network.requestWillBeSent') this.requests.push((params.request as { url: string }).url);
    if (method === 'Network.webSocketFrameReceived') {
      this.frames.push((params.response as { payloadData: string }).payloadData);
    }
  }
}
