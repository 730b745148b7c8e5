/** The built command line as a process whose memory and descriptors can be measured. */
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { WebSocket } from 'ws';
import { CliProcess } from './cli.js';

const DEADLINE = 30_000;
const POLL_INTERVAL = 50;

export interface Held {
  /** Bytes of the heap and outside of it that are reachable, after a complete garbage collection. */
  readonly bytes: number;
  /** Open file descriptors; 0 where they cannot be read. */
  readonly descriptors: number;
}

/** It needs no hook in the program: Node's own inspector collects the garbage and reads the figures. */
export class MeasuredProcess {
  readonly cli: CliProcess;
  readonly #inspector: WebSocket;
  #lastId = 0;

  private constructor(cli: CliProcess, inspector: WebSocket) {
    this.cli = cli;
    this.#inspector = inspector;
  }

  static async start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<MeasuredProcess> {
    const cli = new CliProcess(args, { NODE_OPTIONS: '--inspect=127.0.0.1:0', ...env });
    const url = await cli.until(
      () => /Debugger listening on (ws:\S+)/.exec(cli.stderr)?.[1],
      'address of the inspector of Node',
    );
    const inspector = new WebSocket(url, { perMessageDeflate: false });
    await once(inspector, 'open');
    return new MeasuredProcess(cli, inspector);
  }

  async held(): Promise<Held> {
    // What the first collection frees outside of the heap can be counted after the second.
    for (let n = 0; n < 2; n += 1) await this.#call('HeapProfiler.collectGarbage');
    const expression = '(({ heapUsed, external }) => heapUsed + external)(process.memoryUsage())';
    const { result } = (await this.#call('Runtime.evaluate', { expression, returnByValue: true })) as {
      result: { value: number };
    };
    const descriptors = await readdir(`/proc/${this.cli.child.pid}/fd`).catch(() => []);
    return { bytes: result.value, descriptors: descriptors.length };
  }

  /** Waits until it holds no more than this. Fails with what it holds instead. */
  async returnsTo(wanted: Held, limitMs = DEADLINE): Promise<Held> {
    const end = Date.now() + limitMs;
    for (;;) {
      const held = await this.held();
      if (held.bytes <= wanted.bytes && held.descriptors <= wanted.descriptors) return held;
      if (Date.now() > end) {
        throw new Error(
          `it holds ${held.bytes} bytes and ${held.descriptors} descriptors; wanted at most ${wanted.bytes} and ${wanted.descriptors}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL));
    }
  }

  async stop(): Promise<void> {
    this.#inspector.terminate();
    await this.cli.stop();
  }

  #call(method: string, params: object = {}): Promise<object> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      const done = () => {
        clearTimeout(timer);
        this.#inspector.off('message', look);
      };
      const look = (data: Buffer) => {
        const answer = JSON.parse(data.toString()) as { id?: number; result?: object };
        if (answer.id !== id) return;
        done();
        resolve(answer.result ?? {});
      };
      const timer = setTimeout(() => {
        done();
        reject(new Error(`no answer to ${method} within ${DEADLINE} ms`));
      }, DEADLINE);
      this.#inspector.on('message', look);
      this.#inspector.send(JSON.stringify({ id, method, params }));
    });
  }
}
