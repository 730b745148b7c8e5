// Any JSON-RPC agent: it speaks first, has no initialize, and answers each request with what it got.
import { createInterface } from 'node:readline';

const say = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
say({ method: 'hello' });
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) say({ method: 'seen', params: { method } });
  else say({ id, result: { method, params } });
}
