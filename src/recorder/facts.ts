/** Facts of charts as JSON, without secrets: what JSON does not know is written as `{"$": kind, …}`. */
import { maskNamed } from '../observe/body-preview.js';
import { Secret } from '../protocol/secret.js';

/** Characters of a string that are kept: charts compare short ones. */
const MAX_TEXT = 500;
const MAX_DEPTH = 12;
const MAX_MEMBERS = 200;
/** Shorter strings hold no token. */
const MIN_TOKEN = 8;
/** Members of people, which no chart compares. */
const PERSONAL = new Set(['email']);
/** Secrets whose text is searched in each line. */
const MAX_KNOWN = 64;

/** Writes the facts of one engine. A secret becomes a number: the same secret has the same one. */
export class FactWriter {
  readonly #numbers = new WeakMap<Secret, number>();
  #last = 0;
  /** The newest secrets that facts contained. */
  readonly #known: Secret[] = [];
  readonly #env: object;
  readonly #timing: object;

  /** @param env @param timing the clock and the delays of the engine, which the charts have in their context */
  constructor(env: object, timing: object) {
    this.#env = env;
    this.#timing = timing;
  }

  /** The facts as a value for `JSON.stringify`. */
  facts(value: unknown): unknown {
    return this.#encode(value, 0);
  }

  /** The line, with each known secret that is in it as text replaced. */
  line(record: unknown): string {
    let text = JSON.stringify(record);
    for (const secret of this.#known) {
      const value = secret.reveal();
      if (value.length >= MIN_TOKEN && text.includes(value)) text = text.replaceAll(value, '<redacted>');
    }
    return text;
  }

  #encode(value: unknown, depth: number): unknown {
    switch (typeof value) {
      case 'string':
        return textOf(value);
      case 'number':
        return Number.isFinite(value) ? value : { $: 'number', is: String(value) };
      case 'undefined':
      case 'function':
      case 'symbol':
        return { $: typeof value };
      case 'bigint':
        return { $: 'bigint', is: String(value) };
      case 'boolean':
        return value;
      default:
        return value === null || value === undefined ? null : this.#encodeObject(value, depth);
    }
  }

  #encodeObject(value: object, depth: number): unknown {
    if (value === this.#env) return { $: 'env' };
    if (value === this.#timing && depth > 0) return { $: 'timing' };
    if (value instanceof Secret) return { $: 'secret', is: this.#numberOf(value) };
    if (value instanceof Error) return { $: 'error', name: value.name, message: textOf(value.message) };
    if (depth >= MAX_DEPTH) return { $: 'object' };
    const inner = (one: unknown) => this.#encode(one, depth + 1);
    if (Array.isArray(value)) return value.slice(0, MAX_MEMBERS).map(inner);
    if (value instanceof Set) return { $: 'set', is: [...value].slice(0, MAX_MEMBERS).map(inner) };
    if (value instanceof Map) {
      return { $: 'map', is: [...value].slice(0, MAX_MEMBERS).map(([key, one]) => [inner(key), inner(one)]) };
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    // An actor, a socket, a signal: a chart only passes it on.
    if (prototype !== Object.prototype && prototype !== null) return { $: 'object' };
    const members = Object.entries(value).slice(0, MAX_MEMBERS);
    return Object.fromEntries(
      members.map(([name, one]) => [
        name === '$' ? '$$' : name,
        PERSONAL.has(name) && typeof one === 'string' ? '<redacted>' : inner(one),
      ]),
    );
  }

  #numberOf(secret: Secret): number {
    const known = this.#numbers.get(secret);
    if (known !== undefined) return known;
    this.#last += 1;
    this.#numbers.set(secret, this.#last);
    this.#known.push(secret);
    if (this.#known.length > MAX_KNOWN) this.#known.shift();
    return this.#last;
  }
}

function textOf(text: string): string {
  const short = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
  return short.length < MIN_TOKEN ? short : maskNamed(short);
}

/** What charts have in their context and each record only names. */
export interface RecordedParts {
  readonly env: object;
  readonly timing: unknown;
}

/** The facts of a record as charts had them; secrets have another value, each its own. */
export function factsOf(value: unknown, { env, timing }: RecordedParts): unknown {
  const secrets = new Map<unknown, Secret>();
  const decode = (one: unknown): unknown => {
    if (typeof one !== 'object' || one === null) return one;
    if (Array.isArray(one)) return one.map(decode);
    if (!('$' in one)) {
      return Object.fromEntries(
        Object.entries(one).map(([name, inner]) => [name === '$$' ? '$' : name, decode(inner)]),
      );
    }
    const is = 'is' in one ? one.is : undefined;
    switch (one.$) {
      case 'env':
        return env;
      case 'timing':
        return timing;
      case 'secret': {
        const secret = secrets.get(is) ?? new Secret(`recorded secret ${String(is)}`);
        secrets.set(is, secret);
        return secret;
      }
      case 'error':
        return Object.assign(new Error('message' in one ? String(one.message) : ''), {
          name: 'name' in one ? String(one.name) : 'Error',
        });
      case 'number':
        return Number(is);
      case 'bigint':
        return BigInt(String(is));
      case 'set':
        return new Set(Array.isArray(is) ? is.map(decode) : []);
      case 'map':
        return new Map(
          Array.isArray(is) ? is.map((pair: unknown) => decode(pair) as [unknown, unknown]) : [],
        );
      case 'function':
        return () => undefined;
      case 'object':
        return {};
      default:
        return undefined;
    }
  };
  return decode(value);
}
