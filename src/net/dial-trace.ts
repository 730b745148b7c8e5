/** The steps of a connection, as `rc-engine doctor` shows them. Only a dialer with `onStage` observes them. */
import type http from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

export type DialStage =
  /** The name server answered. Not for an address, and not behind a proxy, which looks names up itself. */
  | { readonly kind: 'resolved'; readonly address: string }
  | { readonly kind: 'connected'; readonly address: string }
  | { readonly kind: 'tunnelled'; readonly proxy: string }
  /** `validTo` is the end of the certificate, as the certificate has it. */
  | { readonly kind: 'secured'; readonly protocol: string; readonly validTo: string };

type OnStage = (stage: DialStage) => void;

/** Observes the connections of an agent that connects directly. */
export function traceAgent<A extends http.Agent>(agent: A, onStage: OnStage | undefined): A {
  if (onStage === undefined) return agent;
  const create = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    const socket = create(options, callback);
    if (socket != null) traceDirect(socket, onStage);
    return socket;
  };
  return agent;
}

function traceDirect(socket: Duplex, onStage: OnStage): void {
  if (!(socket instanceof Socket)) return;
  let resolved = false;
  socket.on('lookup', (error: Error | null, address: string) => {
    if (error !== null || resolved) return;
    resolved = true;
    onStage({ kind: 'resolved', address });
  });
  socket.once('connect', () => {
    const { remoteAddress = '', remotePort } = socket;
    const host = remoteAddress.includes(':') ? `[${remoteAddress}]` : remoteAddress;
    onStage({ kind: 'connected', address: `${host}:${remotePort}` });
  });
  traceSecure(socket, onStage);
}

/** Observes the TLS handshake of a socket that has one. */
export function traceSecure(socket: Duplex, onStage: OnStage): void {
  if (!(socket instanceof TLSSocket)) return;
  socket.once('secureConnect', () => {
    // Emitted also for a certificate that is refused right after.
    if (!socket.authorized) return;
    const { valid_to: validTo } = socket.getPeerCertificate();
    onStage({ kind: 'secured', protocol: socket.getProtocol() ?? 'TLS', validTo });
  });
}
