import * as v from 'valibot';
import { peerText } from '../observe/peer-text.js';
import { firstIssue, isRecord } from '../protocol/jsonrpc.js';

const initializeSchema = v.object({
  clientInfo: v.object({
    name: v.string(),
    version: v.string(),
    title: v.nullish(v.string()),
  }),
  capabilities: v.nullish(
    v.object({
      experimentalApi: v.optional(v.boolean()),
      optOutNotificationMethods: v.nullish(v.array(v.string())),
    }),
  ),
});

/** What a client states about itself in `initialize`. */
export interface InitializeParams {
  /** Cut and cleaned: it is stored, logged and shown. Undefined only where the protocol does not require it. */
  readonly clientName: string | undefined;
  readonly experimentalApi: boolean;
  /** Notifications that this client does not want, by exact method name. WSA-23, ACC-10 */
  readonly optOutNotificationMethods: ReadonlySet<string>;
}

/** One for all: most of thousands of clients opt out of nothing. */
const NO_METHODS: ReadonlySet<string> = new Set();

/** Of a client that is served without `initialize`. */
export const NOTHING_STATED: InitializeParams = {
  clientName: undefined,
  experimentalApi: false,
  optOutNotificationMethods: NO_METHODS,
};

/** There are fewer notifications than that. */
const MAX_OPT_OUTS = 1_000;

/** The `initialize` of Codex. */
export function parseInitialize(params: unknown): InitializeParams | { readonly invalid: string } {
  const parsed = v.safeParse(initializeSchema, params);
  if (!parsed.success) return { invalid: firstIssue(parsed.issues) };
  const { clientInfo, capabilities } = parsed.output;
  return {
    clientName: peerText(clientInfo.name),
    experimentalApi: capabilities?.experimentalApi ?? false,
    optOutNotificationMethods: optOuts(capabilities?.optOutNotificationMethods ?? []),
  };
}

const optOuts = (methods: readonly string[]): ReadonlySet<string> =>
  methods.length === 0 ? NO_METHODS : new Set(methods.slice(0, MAX_OPT_OUTS));

/** Member of `_meta` with which a client of another protocol asks for the engine's notifications. WSA-43 */
const WANTS_NOTIFICATIONS = 'rc-engine/notifications';

/** The `initialize` of any other protocol: its agent checks it, the engine only reads what it can use. WSA-41 */
export function readForeignInitialize(
  params: unknown,
): InitializeParams & { readonly wantsNotifications: boolean } {
  const { clientInfo, _meta: meta } = isRecord(params) ? params : {};
  const name = isRecord(clientInfo) ? clientInfo.name : undefined;
  return {
    clientName: typeof name === 'string' ? peerText(name) : undefined,
    // Other protocols have no such capability to declare.
    experimentalApi: true,
    optOutNotificationMethods: NO_METHODS,
    wantsNotifications: isRecord(meta) && meta[WANTS_NOTIFICATIONS] === true,
  };
}
