/** Asks an app server once whether it answers `initialize`, for `rc-engine doctor`. */
import type { AgentProtocol } from '../protocol/agent-protocol.js';
import type { AppServer, AppServerEvents } from '../protocol/app-server.js';
import { isRecord } from '../protocol/jsonrpc.js';
import { Message } from '../protocol/message.js';
import type { Failure } from '../protocol/outcomes.js';
import { isReason } from '../protocol/reasons.js';
import { VERSION } from '../protocol/version.js';

const CLIENT = { name: 'rc-engine-doctor', title: null, version: VERSION };

/** The params of `initialize` in each protocol. */
const INITIALIZE: Readonly<Record<AgentProtocol, object>> = {
  codex: { clientInfo: CLIENT, capabilities: { experimentalApi: true } },
  mcp: {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: CLIENT.name, version: VERSION },
  },
  acp: { protocolVersion: 1, clientCapabilities: {} },
  raw: { clientInfo: CLIENT, capabilities: {} },
};

/** Why the app server does not answer; null: it does. An error response is an answer too. */
export async function probeAppServer(
  appServer: AppServer,
  protocol: AgentProtocol,
  signal: AbortSignal,
): Promise<string | null> {
  let settle: (why: string | null) => void = () => {};
  const answered = new Promise<string | null>((resolve) => {
    settle = resolve;
  });
  const events: AppServerEvents = {
    onMessage: (message) => {
      if (message.shape.kind === 'response') settle(refusalIn(message));
    },
    onDrain: () => {},
    onClose: (failure: Failure | null) => settle(failure?.message ?? 'it ended the connection'),
  };
  const connection = await appServer.open(events, { origin: 'engine', connectionId: 'doctor' }, signal);
  const onAbort = () => settle('it did not answer initialize in time');
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const request = { jsonrpc: '2.0', id: 1, method: 'initialize', params: INITIALIZE[protocol] };
    connection.send(Message.from(JSON.stringify(request)));
    return await answered;
  } finally {
    signal.removeEventListener('abort', onAbort);
    connection.close();
    await connection.ended;
  }
}

/** The supervisor answers for an app server that ended; its errors have a reason. Null: the app server itself answered. */
function refusalIn({ value }: Message): string | null {
  const error = isRecord(value) ? value.error : undefined;
  if (!isRecord(error) || !isRecord(error.data) || typeof error.data.reason !== 'string') return null;
  return isReason(error.data.reason) ? String(error.message) : null;
}
