import * as v from 'valibot';
import type { AuditRing } from '../observe/audit.js';
import type { MethodTable } from '../session/methods.js';
import type { EngineStatus } from './status.js';

/** Most audit records that one answer holds. */
const MAX_AUDIT_ANSWER = 1_000;

/** `engine/*`: what the engine says of itself, for every origin. */
export function addEngineMethods(
  methods: MethodTable,
  deps: { readonly status: () => EngineStatus; readonly audit: AuditRing },
): void {
  methods.add('engine/status/read', v.looseObject({}), () => deps.status());
  methods.add(
    'engine/audit/read',
    v.object({
      limit: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_AUDIT_ANSWER))),
    }),
    (params) => ({ records: deps.audit.read(params.limit ?? MAX_AUDIT_ANSWER) }),
  );
  // Lets a controller see that the way there and back works, and how long it takes.
  methods.add('engine/echo', v.looseObject({ payload: v.optional(v.unknown()) }), (params) => ({
    payload: params.payload ?? null,
  }));
}
