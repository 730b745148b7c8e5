import * as v from 'valibot';
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

/** What a client says of itself once. */
export interface InitializeParams {
  readonly clientName: string;
  readonly experimentalApi: boolean;
  /** Exact method names that this client does not want. WSA-23, ACC-10 */
  readonly optOutNotificationMethods: ReadonlySet<string>;
}

export function parseInitialize(params: unknown): InitializeParams | { readonly fault: string } {
  const parsed = v.safeParse(initializeSchema, params);
  if (!parsed.success) return { fault: firstIssue(parsed.issues) };
  const { clientInfo, capabilities } = parsed.output;
  return {
    clientName: clientInfo.name,
    experimentalApi: capabilities?.experimentalApi ?? false,
    optOutNotificationMethods: new Set(capabilities?.optOutNotificationMethods ?? []),
  };
}
