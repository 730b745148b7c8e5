/** What the processes around the engine run: the embedded backend, controllers, the issuer and the app server. */
export { default as http } from 'node:http';
export { WebSocket, WebSocketServer } from 'ws';
export { createBackend } from '../../../src/backend/index.js';
export { claim } from '../../../src/controller/claim.js';
export { Secret } from '../../../src/protocol/secret.js';
