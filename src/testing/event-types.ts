/** Event descriptors of a chart: an event type, `*`, or a prefix such as `user.*`. */

/** Whether XState takes a descriptor for events of this type. */
export function handles(descriptor: string, type: string): boolean {
  if (descriptor === type) return true;
  if (descriptor === '*') return !type.startsWith('xstate.');
  if (!descriptor.endsWith('.*')) return false;
  const prefix = descriptor.slice(0, -2);
  return type === prefix || type.startsWith(`${prefix}.`);
}

/** The type of an event that the descriptor handles, for a chart whose events are not listed. */
export function sampleOf(descriptor: string): string {
  if (descriptor === '*') return 'any.other.event';
  return descriptor.endsWith('.*') ? `${descriptor.slice(0, -2)}.any` : descriptor;
}
