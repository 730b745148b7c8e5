/** What the hub uses of nats.js. The package holds it as one compressed file, which is loaded at first use. */
export { jetstream } from '@nats-io/jetstream';
export { Kvm } from '@nats-io/kv';
export { connect, RequestError } from '@nats-io/transport-node';
