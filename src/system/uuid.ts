import type { Env } from '../protocol/timing.js';

/** UUID version 7: milliseconds first, then chance. RC-31 */
export function uuidV7(env: Env): string {
  const time = Math.floor(env.now()).toString(16).padStart(12, '0');
  const chance = () =>
    Math.floor(env.random() * 0x1_0000)
      .toString(16)
      .padStart(4, '0');
  const variant = (0x8000 | Math.floor(env.random() * 0x4000)).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8, 12)}-7${chance().slice(1)}-${variant}-${chance()}${chance()}${chance()}`;
}
