/** The header `Host` of requests that a test forwards to another port: a server answers only requests for its own. */
export function withPort(data: Buffer, from: number, to: number): Buffer {
  const host = `\r\nhost: 127.0.0.1:${from}\r\n`;
  const text = data.toString('latin1');
  const at = text.toLowerCase().indexOf(host);
  if (at === -1) return data;
  const rest = text.slice(at + host.length);
  return Buffer.from(`${text.slice(0, at)}\r\nHost: 127.0.0.1:${to}\r\n${rest}`, 'latin1');
}
