/** What one path works with: an engine, its issuer, its account file, and the sign-in in progress. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import type { AccountContext } from '../../../../machines/account/types.js';
import { acquireFileLock, withLocks } from '../../../../src/system/file-lock.js';
import type { BrowserLogin, Got, Rig } from '../../../account/rig.js';
import type { LoopbackIssuer } from '../../../support/issuer.js';
import type { Questions } from './gate.js';

/** Limit of each wait, ms. */
export const LIMIT = 6_000;

interface CompletedLogin {
  readonly loginId: string;
  readonly success: boolean;
}

export class World {
  readonly rig: Rig;
  readonly at: LoopbackIssuer;
  readonly questions: Questions;
  readonly port: number;
  /** The request that waits for the response of the chart. */
  request: number | undefined;
  login: { readonly id: string; readonly browser: BrowserLogin | null } | undefined;
  /** The browser's visit to the callback address, which is answered when the sign-in is saved. */
  visit: Promise<Got> | undefined;
  /** Notifications that the client must have got since the last check. */
  completed: CompletedLogin[] = [];
  /** Position in the log of the client at the last check. */
  mark = 0;
  response: AccountContext['response'] = null;
  /** The decision that was last checked in the audit, and the number of records then. */
  decision: unknown;
  audited = 0;
  #release: (() => Promise<void>) | undefined;
  /** Content of the account file before it was made unwritable. */
  #content: string | null | undefined;

  constructor(rig: Rig, at: LoopbackIssuer, questions: Questions, port: number) {
    this.rig = rig;
    this.at = at;
    this.questions = questions;
    this.port = port;
  }

  get fileIsHeld(): boolean {
    return this.#release !== undefined;
  }

  /** Takes the lock of the account file, like another program, so that writers wait. ACC-59 */
  async holdFile(): Promise<void> {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let done: Promise<unknown> = Promise.resolve();
    await new Promise<void>((taken) => {
      done = withLocks(
        acquireFileLock,
        [`${this.rig.authPath}.engine-lock`],
        LIMIT,
        new AbortController().signal,
        () => {
          taken();
          return held;
        },
      );
    });
    this.#release = async () => {
      this.#release = undefined;
      release();
      await done;
    };
  }

  async releaseFile(): Promise<void> {
    if (this.#release === undefined) throw new Error('the account file is not held');
    await this.#release();
  }

  /** Puts a directory in the place of the file, so that it cannot be written. */
  async breakFile(): Promise<void> {
    const { authPath } = this.rig;
    this.#content = this.rig.rawAuth();
    await rm(authPath, { force: true });
    await mkdir(join(authPath, 'not empty'), { recursive: true });
  }

  async repairFile(): Promise<void> {
    const content = this.#content;
    if (content === undefined) return;
    this.#content = undefined;
    const { authPath } = this.rig;
    await rm(authPath, { recursive: true });
    if (content === null) return;
    await writeFile(`${authPath}.other`, content, { mode: 0o600 });
    await rename(`${authPath}.other`, authPath);
  }

  async close(): Promise<void> {
    await this.#release?.();
    await this.rig.close();
    await this.at.close();
  }
}

/** Takes the port. A process that asks its owner to quit gets a closed connection. */
export function occupy(port: number): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    const server = net.createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

let lastPort = 20_000 + (process.pid % 5_000);

/** A free port outside the range of outgoing connections. */
export async function freePort(): Promise<number> {
  for (;;) {
    lastPort += 1;
    const server = await occupy(lastPort).catch(() => undefined);
    if (server === undefined) continue;
    await new Promise((closed) => server.close(closed));
    return lastPort;
  }
}

/** Waits until it holds; throws an error with `what` after the limit. */
export async function until(holds: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  const started = performance.now();
  while (!(await holds())) {
    if (performance.now() - started > LIMIT) throw new Error(what());
    await new Promise((done) => setTimeout(done, 3));
  }
}
