import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import * as v from 'valibot';

export interface Answer {
  readonly status: number;
  /** Text goes as it is, anything else as JSON, undefined as an empty body. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request that is not granted. `detail` is all that the peer is told. */
export class Refusal extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.name = 'Refusal';
    this.status = status;
    this.headers = headers;
  }

  get answer(): Answer {
    return { status: this.status, body: { detail: this.message }, headers: this.headers };
  }
}

/** Body of a request, bytes. All that are known are far smaller. */
const MAX_BODY_BYTES = 64 * 1024;

/** Reads the whole body. Throws Refusal 413; rejects when the peer goes away. */
export async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    const buffer = part as Buffer;
    bytes += buffer.length;
    if (bytes > MAX_BODY_BYTES) throw new Refusal(413, 'The body is too large', { connection: 'close' });
    parts.push(buffer);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** Reads a JSON body against a schema. Throws Refusal 400 that names the member, never its value. */
export function parseBody<S extends v.GenericSchema>(schema: S, text: string): v.InferOutput<S> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal(400, 'The body is not JSON');
  }
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  throw new Refusal(400, `The body is not valid: ${v.getDotPath(result.issues[0]) ?? 'its shape is wrong'}`);
}

/** One header. Undefined when it is absent, empty or given more than once. */
export function headerOf(request: IncomingMessage, name: string): string | undefined {
  const values = request.headersDistinct[name];
  return values?.length === 1 && values[0] !== '' ? values[0] : undefined;
}

/** Throws Refusal 400 when the header is missing. */
export function requireHeader(request: IncomingMessage, name: string): string {
  const value = headerOf(request, name);
  if (value === undefined) throw new Refusal(400, `The header ${name} is missing`);
  return value;
}

/** The bearer token. Throws Refusal 401. */
export function requireBearer(request: IncomingMessage): string {
  const token = /^Bearer ([^\s]+)$/i.exec(headerOf(request, 'authorization') ?? '')?.[1];
  if (token === undefined) throw unauthorized();
  return token;
}

export function unauthorized(): Refusal {
  return new Refusal(401, 'Unauthorized', { 'www-authenticate': 'Bearer' });
}

function render(answer: Answer): { readonly text: string; readonly headers: Record<string, string> } {
  const text =
    answer.body === undefined
      ? ''
      : typeof answer.body === 'string'
        ? answer.body
        : JSON.stringify(answer.body);
  const headers: Record<string, string> = {
    'cache-control': 'no-store',
    'x-request-id': randomUUID(),
    ...(text === '' ? {} : { 'content-type': 'application/json' }),
    'content-length': String(Buffer.byteLength(text)),
    ...answer.headers,
  };
  if (answer.status === 204) delete headers['content-length'];
  return { text, headers };
}

export function sendAnswer(response: ServerResponse, answer: Answer): void {
  if (response.destroyed || response.headersSent) return;
  const { text, headers } = render(answer);
  response.writeHead(answer.status, headers);
  response.end(text);
}

/** Refuses an upgrade, where there is no response object. */
export function refuseUpgrade(socket: Duplex, answer: Answer): void {
  if (socket.destroyed) return;
  const { text, headers } = render(answer);
  const lines = Object.entries({ ...headers, connection: 'close' }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  socket.end(
    `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? 'Refused'}\r\n${lines.join('\r\n')}\r\n\r\n${text}`,
  );
}
