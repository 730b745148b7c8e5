const REQUEST = /^[A-Z]+ \S+ HTTP\/1\.1\r\n/;
const HOST = /\r\nhost: [^\r\n]*\r\n/i;

/** The header `Host` of requests that a test forwards to another port: a server answers only requests for its own. */
export function withPort(data: Buffer, to: number): Buffer {
  const text = data.toString('latin1');
  if (!REQUEST.test(text)) return data;
  return Buffer.from(text.replace(HOST, `\r\nHost: 127.0.0.1:${to}\r\n`), 'latin1');
}
