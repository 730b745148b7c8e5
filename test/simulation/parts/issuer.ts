/** The issuer of account tokens. Each refresh token can be used once, as at the real one. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Machine } from '../world/machine.js';
import type { World } from '../world/world.js';
import { type Running, startPeer } from './process-of.js';
import { accessToken, MARK } from './tokens.js';

const PORT = 9_100;

/** What the issuer does with a refresh. `lost`: it issues tokens, and its answer does not arrive. */
export type IssuerMood = 'good' | 'refuses' | 'fails' | 'hangs' | 'lost' | 'html';

export class Issuer {
  readonly url = `http://127.0.0.1:${PORT}`;
  mood: IssuerMood = 'good';
  /** Life of an access token, seconds. */
  life = 28 * 86_400;
  /** Valid refresh tokens, with their accounts. */
  readonly #valid = new Map<string, string>();
  readonly #used = new Set<string>();
  readonly #world: World;
  readonly #machine: Machine;
  #serial = 0;
  #running: Running<'peer'> | undefined;

  constructor(world: World, machine: Machine) {
    this.#world = world;
    this.#machine = machine;
  }

  start(): void {
    this.#running = startPeer(this.#world, this.#machine, 'issuer');
    const { code, process } = this.#running;
    process.after(0, () => {
      const server = code.http.createServer((request, response) => this.#serve(request, response));
      server.listen(PORT, '127.0.0.1');
    });
  }

  /** New tokens of an account, as a sign-in gives them. */
  issue(account: string): { readonly access: string; readonly refresh: string } {
    this.#serial += 1;
    const expires = Math.floor(this.#machine.wall() / 1_000) + this.life;
    const refresh = `rt-${MARK}-${account}-${this.#serial}`;
    this.#valid.set(refresh, account);
    return { access: accessToken(account, this.#serial, expires), refresh };
  }

  /** All sign-ins of this account end. */
  revoke(account: string): void {
    for (const [token, owner] of this.#valid) if (owner === account) this.#valid.delete(token);
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const parts: Buffer[] = [];
    request.on('error', () => {});
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const [status, body] = this.#answer(request.url ?? '', Buffer.concat(parts).toString());
      this.#world.trace.add(
        'issuer',
        `${request.method} ${request.url} ${status === 0 ? this.mood : status}`,
      );
      if (status === 0) {
        if (this.mood === 'lost') request.socket.destroy();
        return;
      }
      response.writeHead(status, {
        'content-type': typeof body === 'string' ? 'text/html' : 'application/json',
      });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  }

  /** Status 0: no answer. */
  #answer(path: string, body: string): readonly [status: number, body: unknown] {
    if (path !== '/oauth/token') return [path === '/oauth/revoke' ? 200 : 404, {}];
    if (this.mood === 'hangs') return [0, {}];
    if (this.mood === 'fails') return [503, { error: 'temporarily_unavailable' }];
    if (this.mood === 'html') return [502, '<html>Bad gateway</html>'];
    if (this.mood === 'refuses') return [400, { error: 'invalid_grant' }];
    const { refresh_token: token } = JSON.parse(body) as { refresh_token?: string };
    const account = this.#valid.get(token ?? '');
    if (token === undefined || account === undefined) {
      const code = this.#used.has(token ?? '') ? 'refresh_token_reused' : 'refresh_token_invalidated';
      return [401, { error: { code, message: 'the refresh token is not valid' } }];
    }
    this.#valid.delete(token);
    this.#used.add(token);
    const { access, refresh } = this.issue(account);
    if (this.mood === 'lost') return [0, {}];
    return [200, { id_token: access, access_token: access, refresh_token: refresh }];
  }
}
