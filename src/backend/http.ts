import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import * as v from 'valibot';
import { endThenDestroy } from '../net/http-gate.js';

export interface HttpResponse {
  readonly status: number;
  /** A string is sent as it is, undefined as an empty body, anything else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request that is refused. The response holds only `detail`. */
export class HttpError extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.name = 'HttpError';
    this.status = status;
    this.headers = headers;
  }

  get response(): HttpResponse {
    return { status: this.status, body: { detail: this.message }, headers: this.headers };
  }
}

/** Largest body of a request, bytes. The bodies of the protocol are far smaller. */
const MAX_BODY_BYTES = 64 * 1024;

/**
 * Reads the whole body. A web page can send other content types without asking first, so only JSON is read.
 * Throws HttpError 413 and 415; rejects when the peer disconnects. RC-51
 */
export async function readJsonBody(request: IncomingMessage): Promise<string> {
  if (!/^application\/json[ \t]*(?:;|$)/i.test(headerOf(request, 'content-type') ?? '')) {
    throw new HttpError(415, 'The content type must be application/json', { connection: 'close' });
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    const buffer = chunk as Buffer;
    bytes += buffer.length;
    if (bytes > MAX_BODY_BYTES) throw new HttpError(413, 'The body is too large', { connection: 'close' });
    chunks.push(buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Parses a JSON body with a schema. Throws HttpError 400 that names the member, never its value. */
export function parseBody<S extends v.GenericSchema>(schema: S, text: string): v.InferOutput<S> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new HttpError(400, 'The body is not JSON');
  }
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  throw new HttpError(
    400,
    `The body is not valid: ${v.getDotPath(result.issues[0]) ?? 'it does not have the right shape'}`,
  );
}

/** The value of a header. Undefined when it is absent, empty or given more than once. */
export function headerOf(request: IncomingMessage, name: string): string | undefined {
  const values = request.headersDistinct[name];
  return values?.length === 1 && values[0] !== '' ? values[0] : undefined;
}

/** Throws HttpError 400 when the header is missing. */
export function requireHeader(request: IncomingMessage, name: string): string {
  const value = headerOf(request, name);
  if (value === undefined) throw new HttpError(400, `The header ${name} is missing`);
  return value;
}

/** The bearer token. Throws HttpError 401. */
export function requireBearer(request: IncomingMessage): string {
  const token = /^Bearer ([^\s]+)$/i.exec(headerOf(request, 'authorization') ?? '')?.[1];
  if (token === undefined) throw unauthorized();
  return token;
}

export function unauthorized(): HttpError {
  return new HttpError(401, 'Unauthorized', { 'www-authenticate': 'Bearer' });
}

function render(response: HttpResponse): { readonly text: string; readonly headers: Record<string, string> } {
  const text =
    response.body === undefined
      ? ''
      : typeof response.body === 'string'
        ? response.body
        : JSON.stringify(response.body);
  const headers: Record<string, string> = {
    'cache-control': 'no-store',
    'x-request-id': randomUUID(),
    ...(text === '' ? {} : { 'content-type': 'application/json' }),
    'content-length': String(Buffer.byteLength(text)),
    ...response.headers,
  };
  if (response.status === 204) delete headers['content-length'];
  return { text, headers };
}

export function sendResponse(target: ServerResponse, response: HttpResponse): void {
  if (target.destroyed || target.headersSent) return;
  const { text, headers } = render(response);
  target.writeHead(response.status, headers);
  target.end(text);
}

/** Refuses an upgrade. Node gives a socket here and no response object. */
export function refuseUpgrade(socket: Duplex, response: HttpResponse): void {
  if (socket.destroyed) return;
  const { text, headers } = render(response);
  const lines = Object.entries({ ...headers, connection: 'close' }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  endThenDestroy(
    socket,
    `HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? 'Refused'}\r\n${lines.join('\r\n')}\r\n\r\n${text}`,
  );
}
