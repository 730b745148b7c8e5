/** What clients do while nothing is wrong with them. */
import type { StepKind } from './steps.js';
import type { Random } from './world/random.js';

/** A step of the conversation of one client. */
const talk = (name: string, weight: number, plan: (random: Random) => Talk): StepKind => ({
  name,
  weight,
  plan(random) {
    const place = random.int(0, 2);
    const act = plan(random);
    return {
      text: `client ${place}: ${name}`,
      act: ({ clients }) => {
        const client = clients[place];
        const conversation = client?.conversation;
        if (client === undefined || conversation === undefined) return;
        client.process.after(0, () => {
          if (client.conversation === conversation) act(client, conversation);
        });
      },
    };
  },
});

type Client = import('./parts/client.js').Client;
type Talk = (client: Client, conversation: NonNullable<Client['conversation']>) => void;

export const WORK: readonly StepKind[] = [
  talk('echo', 6, (random) => {
    const times = random.int(1, 4);
    return (client, conversation) => {
      for (let time = 0; time < times; time += 1) conversation.echo(client.nextValue());
    };
  }),
  talk('count', 3, (random) => {
    const count = random.int(1, 30);
    return (client, conversation) => conversation.count(client.nextValue(), count);
  }),
  talk('notes', 3, (random) => {
    const count = random.int(1, 10);
    return (client, conversation) => {
      for (let time = 0; time < count; time += 1) conversation.note(client.connection);
    };
  }),
  talk('large', 1, (random) => {
    const bytes = random.int(10_000, 250_000);
    return (client, conversation) => conversation.large(client.nextValue(), bytes);
  }),
  talk('upload', 1, (random) => {
    const bytes = random.int(10_000, 220_000);
    return (client, conversation) => conversation.upload(client.nextValue(), bytes);
  }),
  talk('burst', 0.6, (random) => {
    const count = random.int(20, 170);
    return (client, conversation) => conversation.burst(() => client.nextValue(), count);
  }),
  talk('disconnect', 1, (random) => {
    const how = random.pick(['close', 'terminate'] as const);
    return (client) => client.disconnect(how);
  }),
];
