/** What answers of the OAuth issuer must be to count as a success. */
import * as v from 'valibot';
import { isRecord } from '../../protocol/jsonrpc.js';
import { jwtClaims } from '../jwt.js';

// What becomes a header or is stored must be visible ASCII.
const Token = v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,65536}$/));
/** It says who it is: one that cannot be read must not take the place of one that can. */
const IdToken = v.pipe(
  Token,
  v.check((token) => jwtClaims(token) !== undefined),
);
/** Empty is as good as absent: what there is stays. */
const renewed = (form: v.GenericSchema<string>) => v.nullish(v.union([v.literal(''), form]));
export const Refreshed = v.pipe(
  v.custom<object>((value) => isRecord(value)),
  v.object({ id_token: renewed(IdToken), access_token: renewed(Token), refresh_token: renewed(Token) }),
);
export const Granted = v.object({ id_token: IdToken, access_token: Token, refresh_token: Token });
export const ExchangedApiKey = v.object({ access_token: Token });
const CodeText = v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,64}$/));
export const UserCode = v.object({
  device_auth_id: v.pipe(v.string(), v.minLength(1)),
  user_code: v.optional(CodeText),
  /** What the reference calls it, too. */
  usercode: v.optional(CodeText),
  interval: v.optional(v.unknown()),
  verification_uri_complete: v.optional(v.unknown()),
});
export const DeviceCode = v.object({ authorization_code: Token, code_verifier: Token });
