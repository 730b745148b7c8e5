/** Stands in for stately.ai: a real site with TLS, whose page receives through the library's own receiver. */
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

export class StatelyStandIn {
  /** What its page was told, in order. */
  readonly told: StatelyInspectionEvent[] = [];
  /** Every message to its page, as JSON. */
  readonly messages: string[] = [];
  /** `host path` of each request. */
  readonly requests: string[] = [];
  /** Lets its page say that it is there. */
  open: () => void = () => {};
  /** Sends its page to another site. */
  leave: (to: string) => void = () => {};
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<StatelyStandIn> {
    const script = await bundled();
    const server = createServer(TLS_BACKEND);
    const standIn = new StatelyStandIn(server);
    const opened = new Promise<void>((resolve) => {
      standIn.open = resolve;
    });
    const left = new Promise<string>((resolve) => {
      standIn.leave = resolve;
    });
    server.on('request', async (request, response) => {
      standIn.requests.push(`${request.headers.host} ${request.url}`);
      switch (request.url) {
        case '/inspect':
          response.setHeader('content-type', 'text/html').end(`<script type="module">${script}</script>`);
          return;
        case '/opened':
          await opened;
          response.end();
          return;
        case '/left':
          response.end(await left);
          return;
        case '/told': {
          const { told, messages } = JSON.parse(await textOf(request));
          standIn.told.push(...told);
          standIn.messages.push(...messages);
          response.end();
          return;
        }
        default:
          response.writeHead(404).end();
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return standIn;
  }

  /** For a browser that shall find it where stately.ai would be, and where any other site would be. */
  get arguments(): string[] {
    const { port } = this.#server.address() as AddressInfo;
    return [
      `--host-resolver-rules=MAP stately.ai:443 127.0.0.1:${port}, MAP *.example:443 127.0.0.1:${port}`,
      '--ignore-certificate-errors',
    ];
  }

  close(): Promise<void> {
    this.leave('');
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
      contents: await readFile(join(HERE, 'stately-stand-in.page.js'), 'utf8'),
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
