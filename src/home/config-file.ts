/** The configuration file of a home: JSON, checked against a schema. Every mistake in it is an error. */
import { constants, existsSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as v from 'valibot';
import { EngineError } from '../protocol/errors.js';
import { repeatedMember } from '../protocol/json-members.js';
import { errnoOf, errnoText } from '../system/errno.js';
import { ownedByAnother, userName, writableByOthers } from '../system/permissions.js';
import { closestMatch } from '../system/suggest.js';
import { findJsonSyntaxError } from './json-syntax.js';

const MAX_BYTES = 1024 * 1024;
/** Keeps the message readable; the remaining problems are reported once the first ones are corrected. */
const MAX_PROBLEMS = 5;

/** `v.object` or `v.strictObject`: unknown keys are errors with both, also in nested objects. */
type ConfigSchema<T> = v.GenericSchema<unknown, T> & { readonly entries: v.ObjectEntries };

/**
 * The checked content of the file; that of `{}` when the file does not exist.
 * @throws EngineError `configInvalid` with the file, each wrong key, what is wrong and what is allowed. A string of
 * the file is quoted only where the schema lists the allowed values, because any other may be a secret.
 */
export async function readConfigFile<T>(path: string, schema: ConfigSchema<T>): Promise<T> {
  return parseConfig(path, await readConfigText(path), schema);
}

/** Like `readConfigFile`, for a text that is in the file or is to be written to it. */
export function parseConfig<T>(path: string, text: string | undefined, schema: ConfigSchema<T>): T {
  if (text === undefined) return checkConfig(path, {}, schema);
  const value = parseJson(path, text);
  // JSON.parse silently takes the last of two members; a security setting must not depend on that.
  const repeated = isRecord(value) ? repeatedMember(text) : undefined;
  if (repeated !== undefined) throw invalid(path, `contains the key "${repeated}" twice`);
  return checkConfig(path, value, schema);
}

/** The text of the file; undefined when it does not exist. @throws EngineError as `readConfigFile` */
export async function readConfigText(path: string): Promise<string | undefined> {
  try {
    // O_NONBLOCK: opening a pipe without a writer would block the start forever.
    const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const stats = await file.stat();
      const exposed = ownedByAnother(stats) ?? writableByOthers(stats);
      if (exposed !== undefined) throw invalid(path, `${exposed}: run chmod 600 ${path} as its owner`);
      if (stats.isFIFO()) throw invalid(path, 'is a pipe, not a file');
      if (stats.size > MAX_BYTES) throw invalid(path, 'is larger than 1 MiB');
      const bytes = await file.readFile();
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } finally {
      await file.close();
    }
  } catch (error) {
    const code = errnoOf(error);
    // ENOTDIR: the home itself is not a directory; opening the home reports that, and a path that cannot be one.
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if ((code === 'ENAMETOOLONG' || code === 'ELOOP') && !existsSync(dirname(path))) return undefined;
    if (error instanceof EngineError && code === 'configInvalid') throw error;
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') throw invalid(path, 'is not UTF-8', error);
    throw unreadable(path, error);
  }
}

/** A file in the home of another user, or one without the permission to read it. */
function unreadable(path: string, error: unknown): EngineError {
  const home = dirname(path);
  const uid = statSync(home, { throwIfNoEntry: false })?.uid;
  const denied = errnoOf(error) === 'EACCES' || errnoOf(error) === 'EPERM';
  if (denied && uid !== undefined && uid !== process.getuid?.()) {
    const owner = userName(uid);
    return new EngineError('homeUnusable', `The home directory ${home} belongs to the user ${owner}.`, {
      cause: error,
      remediation: `Run this as that user (sudo -u ${owner} …), or choose another --home.`,
    });
  }
  return new EngineError(
    'configInvalid',
    `The configuration file ${path} cannot be read: ${errnoText(error)}.`,
    {
      cause: error,
      ...(denied ? { remediation: `Run: chmod u+r ${path}` } : {}),
    },
  );
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The error of JSON.parse quotes the content, which may be a secret, and often has no position.
    const fault = findJsonSyntaxError(text);
    if (fault === undefined) throw invalid(path, 'is not valid JSON');
    throw invalid(path, `is not valid JSON: line ${fault.line}, column ${fault.column}: ${fault.problem}`);
  }
}

function checkConfig<T>(path: string, value: unknown, schema: ConfigSchema<T>): T {
  if (!isRecord(value)) {
    throw invalid(path, `must contain an object in braces, but contains ${kindOf(value)}`);
  }
  const parsed = v.safeParse(schema, value);
  const problems = unknownKeys(schema, value, '');
  for (const issue of parsed.issues ?? []) {
    if (issue.type !== 'strict_object' || issue.expected !== 'never') problems.push(describe(issue));
  }
  if (parsed.success && problems.length === 0) return parsed.output;
  const shown = problems.slice(0, MAX_PROBLEMS);
  if (shown.length < problems.length) shown.push(`and ${problems.length - shown.length} more`);
  throw invalid(path, `is not valid: ${shown.join('; ')}`);
}

/** Checked here instead of in the schema, to report all of them, each with the most similar allowed key. */
function unknownKeys(schema: object, value: unknown, prefix: string): string[] {
  const entries = entriesOf(schema);
  if (entries === undefined || !isRecord(value)) return [];
  const names = Object.keys(entries);
  return Object.entries(value).flatMap(([key, inner]) => {
    const entry = Object.hasOwn(entries, key) ? entries[key] : undefined;
    if (isRecord(entry)) return unknownKeys(entry, inner, `${prefix}${key}.`);
    const likely = closestMatch(key, names);
    const hint = likely === undefined ? `allowed: ${names.join(', ')}` : `did you mean "${prefix}${likely}"?`;
    return [`"${prefix}${key}" is not a known key (${hint})`];
  });
}

/** The keys of an object schema, also inside `v.optional` and similar wrappers. */
function entriesOf(schema: object): Record<string, unknown> | undefined {
  if ('wrapped' in schema && isRecord(schema.wrapped)) return entriesOf(schema.wrapped);
  return 'entries' in schema && isRecord(schema.entries) ? schema.entries : undefined;
}

function describe(issue: v.BaseIssue<unknown>): string {
  const key = v.getDotPath(issue) ?? '';
  // A message that the schema defines itself is more specific.
  if (!issue.message.startsWith('Invalid ')) return `"${key}" ${issue.message}`;
  if (issue.input === undefined) return `"${key}" is missing`;
  return `"${key}" must be ${allowed(issue)}, not ${received(issue)}`;
}

function allowed(issue: v.BaseIssue<unknown>): string {
  const { expected } = issue;
  if (expected === null) return 'something else';
  // ("a" | "b") becomes: "a" or "b".
  const choices = /^\((.*)\)$/.exec(expected)?.[1]?.split(' | ') ?? [expected];
  return choices.map((choice) => WORDS[choice] ?? choice).join(' or ');
}

const WORDS: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  Object: 'an object',
  Array: 'a list',
};

function received(issue: v.BaseIssue<unknown>): string {
  const { input, type } = issue;
  if (typeof input === 'number' || typeof input === 'boolean') return String(input);
  const listed = type === 'picklist' || type === 'enum' || type === 'literal';
  if (typeof input === 'string' && listed && input.length <= 40) return JSON.stringify(input);
  return kindOf(input);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'string' ? 'a string' : `a ${typeof value}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(path: string, problem: string, cause?: unknown): EngineError {
  return new EngineError('configInvalid', `The configuration file ${path} ${problem}.`, { cause });
}
