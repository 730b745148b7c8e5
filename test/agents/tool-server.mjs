// A small MCP server: the revision with initialize and the stateless one, as they answer over stdio.
import { createInterface } from 'node:readline';

const say = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const VERSION = 'io.modelcontextprotocol/protocolVersion';
let ready = false;

for await (const line of createInterface({ input: process.stdin })) {
  const { jsonrpc, id, method, params } = JSON.parse(line);
  if (jsonrpc !== '2.0') process.exit(3);
  const stateless = params?._meta?.[VERSION] === '2026-07-28';
  const refuse = (code, message) => say({ id, error: { code, message } });
  if (method === 'initialize') {
    if (params?.capabilities === undefined) refuse(-32602, 'capabilities are missing');
    else say({ id, result: { protocolVersion: params.protocolVersion, capabilities: { tools: {} } } });
  } else if (method === 'notifications/initialized') ready = true;
  else if (method === 'server/discover') say({ id, result: { supportedVersions: ['2026-07-28'] } });
  else if (method === 'tools/list') {
    if (ready || stateless) say({ id, result: { tools: [{ name: 'echo' }] } });
    else refuse(-32600, 'not ready');
  } else if (method === 'account/read') say({ id, result: 'of the agent' });
  else if (id !== undefined) refuse(-32601, 'no such method');
}
