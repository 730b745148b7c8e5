import type { Planted } from './planted.js';

export const PLANTED: readonly Planted[] = [];
