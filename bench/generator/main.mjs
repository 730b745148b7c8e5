/**
 * The load generator. It is a process of its own, so that it and the program under test have one core each. It receives
 * messages `{id, op, site, …}` and responds with `{id, result}` or `{id, error}`.
 */
import { now } from '../clock.mjs';
import { runPipe, runRequests } from './load.mjs';
import { Site } from './site.mjs';

const sites = new Map();

const operations = {
  async openSite() {
    const site = new Site();
    const port = await site.listen();
    sites.set(port, site);
    return port;
  },
  closeSite(site, { port }) {
    site.close();
    sites.delete(port);
  },
  refuseNext: (site, { statuses }) => site.refuseNext(statuses),
  count: (site, { kind }) => site.count(kind),
  waitFor: (site, { kind, n, timeoutMs }) => site.waitFor(kind, n, timeoutMs),
  closeLink: (site) => site.closeLink(),
  async openClients(site, { count, window }) {
    const began = now();
    await site.link.open(count, window);
    return now() - began;
  },
  replaceClients: (site, { perSecond, ms }) => site.link.replace(perSecond, ms),
  closeClients: (site) => site.link.closeStreams(),
  requests: (site, { spec }) => runRequests(site.link, spec),
  pipe: (site, { spec }) => runPipe(site.pipe, spec),
};

process.on('message', async ({ id, op, port, ...args }) => {
  try {
    const result = await operations[op](sites.get(port), { port, ...args });
    process.send({ id, result: result ?? null });
  } catch (error) {
    process.send({ id, error: error instanceof Error ? error.message : String(error) });
  }
});
process.on('disconnect', () => process.exit());
