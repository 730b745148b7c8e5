import type { Env } from '../protocol/timing.js';

/** A UUID of version 7: the time in milliseconds, then random digits. RC-31 */
export function uuidV7(env: Env): string {
  const time = Math.floor(env.now()).toString(16).padStart(12, '0');
  const random = () =>
    Math.floor(env.random() * 0x1_0000)
      .toString(16)
      .padStart(4, '0');
  const variant = (0x8000 | Math.floor(env.random() * 0x4000)).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8, 12)}-7${random().slice(1)}-${variant}-${random()}${random()}${random()}`;
}

const RFC_3339 =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(\.\d+)?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/;

/** Wall-clock milliseconds of an RFC 3339 time; undefined for anything else, 30 February included. */
export function parseRfc3339(text: string): number | undefined {
  const match = RFC_3339.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  const [offsetHour, offsetMinute] = [Number(match[9] ?? 0), Number(match[10] ?? 0)];
  // 60 is a leap second.
  if (hour > 23 || minute > 59 || second > 60 || offsetHour > 23 || offsetMinute > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  const offset = (offsetHour * 60 + offsetMinute) * (match[8] === '-' ? -1 : 1);
  const seconds = (hour * 60 + minute - offset) * 60 + Math.min(second, 59);
  return date.getTime() + seconds * 1_000 + Math.floor(Number(`0${match[7] ?? ''}`) * 1_000);
}
