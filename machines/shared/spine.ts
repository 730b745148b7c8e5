/**
 * Marks a transition as part of the main way through its chart. Pictures always draw it as a thick arrow.
 *
 * @example { guard: 'open', target: 'connected', ...spine }
 */
export const spine = { meta: { spine: true } } as const;
