/** The token endpoint of the account's issuer: holds each renewal until the path says what becomes of it. */
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

  /** A renewal waits for its answer. */
  get isAsked(): boolean {
    return this.#held !== undefined;
  }

  grant(accountId: string): void {
    const { tokens } = signIn(accountId).json as { readonly tokens: object };
    this.#answer(200, tokens);
  }

  refuseForGood(): void {
    this.#answer(401, { error: { code: 'refresh_token_expired', message: 'it has ended' } });
  }

  fail(): void {
    this.#answer(503, { error: 'not now' });
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(status: number, body: object): void {
    const held = this.#held;
    this.#held = undefined;
    held?.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }
}
