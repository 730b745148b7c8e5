/** A fake of stately.ai: a site with TLS whose page uses the receiver of the library. */
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { StatelyInspectionEvent } from '@statelyai/inspect';
import { build } from 'esbuild';
import { TLS_BACKEND } from '../support/http.js';

const HERE = dirname(fileURLToPath(import.meta.url));

export class FakeStately {
  /** Events that its page received, in order. */
  readonly received: StatelyInspectionEvent[] = [];
  /** Every message to its page as JSON. */
  readonly messages: string[] = [];
  /** `host path` of each request. */
  readonly requests: string[] = [];
  /** Lets its page connect. */
  open: () => void = () => {};
  /** Navigates its page to another site. */
  navigate: (to: string) => void = () => {};
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<FakeStately> {
    const script = await bundled();
    const server = createServer(TLS_BACKEND);
    const fake = new FakeStately(server);
    const opened = new Promise<void>((resolve) => {
      fake.open = resolve;
    });
    const navigated = new Promise<string>((resolve) => {
      fake.navigate = resolve;
    });
    server.on('request', async (request, response) => {
      fake.requests.push(`${request.headers.host} ${request.url}`);
      switch (request.url) {
        case '/inspect':
          response.setHeader('content-type', 'text/html').end(`<script type="module">${script}</script>`);
          return;
        case '/opened':
          await opened;
          response.end();
          return;
        case '/navigation':
          response.end(await navigated);
          return;
        case '/received': {
          const { received, messages } = JSON.parse(await textOf(request));
          fake.received.push(...received);
          fake.messages.push(...messages);
          response.end();
          return;
        }
        default:
          response.writeHead(404).end();
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  /** Browser arguments that resolve stately.ai and *.example to this server. */
  get arguments(): string[] {
    const { port } = this.#server.address() as AddressInfo;
    return [
      `--host-resolver-rules=MAP stately.ai:443 127.0.0.1:${port}, MAP *.example:443 127.0.0.1:${port}`,
      '--ignore-certificate-errors',
    ];
  }

  close(): Promise<void> {
    this.navigate('');
    this.open();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}

async function bundled(): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: await readFile(join(HERE, 'fake-stately.page.js'), 'utf8'),
      resolveDir: HERE,
    },
    bundle: true,
    format: 'esm',
    write: false,
    logLevel: 'error',
  });
  return outputFiles[0]?.text.replaceAll('</', '<\\/') ?? '';
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of request.setEncoding('utf8')) text += part;
  return text;
}
