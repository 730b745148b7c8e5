/** The token endpoint of the issuer: holds each refresh until the path gives its outcome. */
import http, { type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { signIn } from '../../support/auth.js';

export class TokenEndpoint {
  readonly #server = http.createServer((request, response) => {
    request.resume();
    response.on('error', () => {});
    response.on('close', () => {
      if (this.#held === response) this.#held = undefined;
    });
    this.#held = response;
  });
  #held: ServerResponse | undefined;

  static async open(): Promise<TokenEndpoint> {
    const endpoint = new TokenEndpoint();
    await new Promise<void>((resolve) => endpoint.#server.listen(0, '127.0.0.1', resolve));
    return endpoint;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/oauth/token`;
  }

  /** True while a refresh waits for its response. */
  get isWaiting(): boolean {
    return this.#held !== undefined;
  }

  grant(accountId: string): void {
    const { tokens } = signIn(accountId).json as { readonly tokens: object };
    this.#respond(200, tokens);
  }

  rejectForGood(): void {
    this.#respond(401, { error: { code: 'refresh_token_expired', message: 'expired' } });
  }

  fail(): void {
    this.#respond(503, { error: 'unavailable' });
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #respond(status: number, body: object): void {
    const held = this.#held;
    this.#held = undefined;
    held?.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }
}
