import * as v from 'valibot';
import { peerText } from '../observe/peer-text.js';
import { firstIssue } from '../protocol/jsonrpc.js';

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
interface InitializeParams {
  /** Cut and cleaned: it is stored, logged and shown. */
  readonly clientName: string;
  readonly experimentalApi: boolean;
  /** Notifications that this client does not want, by exact method name. WSA-23, ACC-10 */
  readonly optOutNotificationMethods: ReadonlySet<string>;
}

/** There are fewer notifications than that. */
const MAX_OPT_OUTS = 1_000;

export function parseInitialize(params: unknown): InitializeParams | { readonly invalid: string } {
  const parsed = v.safeParse(initializeSchema, params);
  if (!parsed.success) return { invalid: firstIssue(parsed.issues) };
  const { clientInfo, capabilities } = parsed.output;
  return {
    clientName: peerText(clientInfo.name),
    experimentalApi: capabilities?.experimentalApi ?? false,
    optOutNotificationMethods: new Set(
      (capabilities?.optOutNotificationMethods ?? []).slice(0, MAX_OPT_OUTS),
    ),
  };
}
