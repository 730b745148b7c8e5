import { readFileSync } from 'node:fs';
import { EngineError } from '../protocol/errors.js';

/**
 * The text of a PEM file with certificate authorities.
 * @throws EngineError `usage`
 */
export function readCaCert(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new EngineError('usage', `The certificate file ${path} cannot be read.`, { cause: error });
  }
}
