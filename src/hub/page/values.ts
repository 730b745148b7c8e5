/** Reads members of what a peer sent, which may have any form. */

export type Json = Readonly<Record<string, unknown>>;

export function recordOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(recordOf) : [];
}

/** `3 min ago`, from an ISO time. */
export function agoOf(value: unknown): string {
  const at = Date.parse(textOf(value));
  if (Number.isNaN(at)) return 'never';
  const minutes = Math.max(0, Math.round((Date.now() - at) / 60_000));
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h ago` : `${Math.round(hours / 24)} d ago`;
}
