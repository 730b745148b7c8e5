/** The page of the inspector, for the owner at the control socket. RC-125, RC-191 */
import * as v from 'valibot';
import type { Attachment, EngineWatcher, LinkOptions } from '../observe/watcher.js';
import { EngineError } from '../protocol/errors.js';
import { RPC } from '../protocol/jsonrpc.js';
import type { Secret } from '../protocol/secret.js';
import { JsonRpcError, type MethodTable } from '../session/methods.js';
import type { ClientSession } from '../session/session.js';

/** `fileLink`: also returns a link that works from a file on this machine, and notifies its use. */
const Params = v.looseObject({
  fileLink: v.nullish(v.boolean()),
  port: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535))),
});

interface Links {
  readonly link: string;
  readonly fileLink: string | null;
}

/** Who uses the page of an engine that was started without one. The page ends with the last of them. */
export class InspectorMethods {
  readonly #watcher: EngineWatcher | undefined;
  readonly #stopping: () => boolean;
  readonly #attached = new Map<ClientSession, Promise<Attachment>>();
  #lastNumber = 0;

  constructor(watcher: EngineWatcher | undefined, stopping: () => boolean) {
    this.#watcher = watcher;
    this.#stopping = stopping;
  }

  /** Adds `engine/inspectorLink/create`, `engine/inspector/attach` and `engine/inspector/detach`. */
  add(methods: MethodTable): void {
    methods.add('engine/inspectorLink/create', Params, ({ fileLink }, session) => {
      const { newLink } = this.#watcher ?? {};
      if (newLink === undefined) return { link: null, fileLink: null };
      return linksOf({ newLink }, '', fileLink ?? false, session);
    });
    methods.add('engine/inspector/attach', Params, ({ fileLink, port }, session) =>
      this.#attach(session, fileLink ?? false, port ?? 0),
    );
    methods.add('engine/inspector/detach', v.looseObject({}), async (_, session) => {
      await this.#detach(session);
      return {};
    });
  }

  /** When the engine stops, the pages stay until they have shown its end. */
  ended(session: ClientSession): void {
    // A stop that ends sessions at once has not returned yet.
    queueMicrotask(() => {
      if (!this.#stopping()) void this.#detach(session);
    });
  }

  async #attach(
    session: ClientSession,
    fileLink: boolean,
    port: number,
  ): Promise<Links & { readonly attached: boolean }> {
    const watcher = this.#watcher;
    // It has a page since its start, which stays.
    if (watcher?.newLink !== undefined) {
      return { attached: false, ...linksOf({ newLink: watcher.newLink }, '', fileLink, session) };
    }
    if (watcher?.attach === undefined) {
      throw new JsonRpcError(
        RPC.invalidRequest,
        'This engine was started without a way to watch its charts.',
      );
    }
    const attach = watcher.attach.bind(watcher);
    const known = this.#attached.get(session);
    const opening = known ?? attach(port);
    this.#attached.set(session, opening);
    try {
      const attachment = await opening;
      if (known === undefined) this.#lastNumber += 1;
      return { attached: true, ...linksOf(attachment, `attach ${this.#lastNumber}`, fileLink, session) };
    } catch (error) {
      this.#attached.delete(session);
      if (error instanceof EngineError) {
        throw new JsonRpcError(RPC.internalError, error.message, { reason: error.code });
      }
      throw error;
    }
  }

  async #detach(session: ClientSession): Promise<void> {
    const opening = this.#attached.get(session);
    this.#attached.delete(session);
    await (await opening?.catch(() => undefined))?.close();
  }
}

function linksOf(
  { newLink }: { newLink(options?: LinkOptions): Secret },
  purpose: string,
  fileLink: boolean,
  session: ClientSession,
): Links {
  const onUsed = () => session.notify('engine/inspector/opened', {});
  return {
    link: newLink({ purpose }).reveal(),
    fileLink: fileLink ? newLink({ purpose: `${purpose} file`, fromFile: true, onUsed }).reveal() : null,
  };
}
