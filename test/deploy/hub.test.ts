/** The files in deploy/: what they name exists, and the programs that read them accept them where they are installed. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { hub } from '../../src/cli/commands/hub.js';
import { noNats } from '../support/nats-server.js';
import { tmpFolder } from '../support/tmp.js';

const DEPLOY = join(import.meta.dirname, '../../deploy');
const COMPOSE = join(DEPLOY, 'compose');
const read = (...path: readonly string[]): string => readFileSync(join(DEPLOY, ...path), 'utf8');

const Texts = v.array(v.string());
const Service = v.strictObject({
  image: v.string(),
  build: v.optional(v.literal('.')),
  restart: v.literal('unless-stopped'),
  command: v.optional(Texts),
  environment: v.optional(v.record(v.string(), v.string())),
  volumes: v.optional(Texts),
  networks: Texts,
  ports: v.optional(Texts),
  secrets: v.optional(Texts),
  depends_on: v.optional(Texts),
  stop_grace_period: v.optional(v.pipe(v.string(), v.regex(/^\d+s$/))),
});
const Compose = v.object({
  name: v.string(),
  services: v.record(v.string(), Service),
  networks: v.record(v.string(), v.strictObject({ internal: v.optional(v.boolean()) })),
  volumes: v.record(v.string(), v.strictObject({})),
  secrets: v.record(v.string(), v.strictObject({ file: v.string() })),
});

const compose = v.parse(Compose, parse(read('compose', 'compose.yaml'), { merge: true }));
const services = Object.entries(compose.services);
const namesOf = (word: string): string[] =>
  services.flatMap(([name]) => (name.startsWith(word) ? [name] : []));
const hubVariables = new Set(
  Object.values(hub.options).flatMap((option) => ('variable' in option ? [option.variable] : [])),
);

describe('the compose file of a hub', () => {
  it('HUB-47: has three brokers, two nodes and a balancer, and each name in it leads somewhere', () => {
    expect([namesOf('nats'), namesOf('hub'), namesOf('balancer')].map((names) => names.length)).toEqual([
      3, 2, 1,
    ]);
    for (const [, service] of services) {
      for (const other of service.depends_on ?? []) expect(compose.services).toHaveProperty(other);
      for (const network of service.networks) expect(compose.networks).toHaveProperty(network);
      for (const secret of service.secrets ?? []) expect(compose.secrets).toHaveProperty(secret);
      for (const [source = ''] of (service.volumes ?? []).map((volume) => volume.split(':'))) {
        if (source.startsWith('./')) expect(readdirSync(COMPOSE)).toContain(source.slice(2));
        else expect(compose.volumes).toHaveProperty(source);
      }
    }
  });

  it('HUB-47: gives the nodes settings that rc-engine hub has, and time to drain', () => {
    for (const name of namesOf('hub')) {
      const { environment = {}, stop_grace_period: grace = '0s' } = compose.services[name] ?? {};
      for (const variable of Object.keys(environment)) expect(hubVariables).toContain(variable);
      expect(environment.RC_ENGINE_HUB_REPLICAS).toBe(String(namesOf('nats').length));
      expect(environment.RC_ENGINE_HUB_BUS?.match(/nats-\d/g)).toEqual(namesOf('nats'));
      expect(Number.parseInt(grace, 10)).toBeGreaterThan(Number(hub.options.drain.default.match(/\d+/)?.[0]));
    }
  });

  it('HUB-47: lets nobody outside reach the broker, and has no password in it', () => {
    expect(compose.networks.broker?.internal).toBe(true);
    for (const name of namesOf('nats')) {
      expect(compose.services[name]).toMatchObject({ networks: ['broker'] });
      expect(compose.services[name]).not.toHaveProperty('ports');
    }
    expect(read('compose', 'compose.yaml')).not.toMatch(/PASSWORD: *"?[a-z0-9]/);
    const example = read('compose', '.env.example');
    for (const [, name = ''] of read('compose', 'compose.yaml').matchAll(/\$\{(\w+):\?/g)) {
      expect(example).toContain(`${name}=`);
    }
  });

  it('HUB-47: the balancer checks /readyz of each node', () => {
    const text = read('compose', 'haproxy.cfg');
    expect(text).toContain('httpchk GET /readyz');
    expect([...text.matchAll(/^ {2}server (\S+) (\S+):8443$/gm)].map(([, one, host]) => [one, host])).toEqual(
      namesOf('hub').map((name) => [name, name]),
    );
    expect(compose.services['hub-1']?.environment?.RC_ENGINE_HUB_LISTEN).toContain(':8443');
  });

  it.skipIf(noNats !== '')(`HUB-47: nats-server accepts its configuration${noNats}`, async () => {
    const file = join(await tmpFolder(), 'nats.conf');
    const version = spawnSync('nats-server', ['--version'], { encoding: 'utf8' }).stdout;
    const [, minor = '0'] = /v2\.(\d+)/.exec(version) ?? [];
    const text = read('compose', 'nats.conf');
    // nats-server before 2.10 does not know it.
    await writeFile(file, Number(minor) < 10 ? text.replace(/^ *sync_interval:.*$/m, '') : text);
    const environment = compose.services['nats-1']?.environment ?? {};
    const env = Object.fromEntries(
      Object.entries(environment).map(([name, value]) => [name, value.replace(/\$\{[^}]*\}/g, '0e1')]),
    );
    const { status, stderr } = spawnSync('nats-server', ['-t', '-c', file, '--name', 'nats-1'], {
      encoding: 'utf8',
      env: { ...process.env, ...env },
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining('is valid') });
  });
});

const hasAnalyze = spawnSync('systemd-analyze', ['--version']).status === 0;

describe('the systemd unit of a hub', () => {
  it('HUB-47: sets variables that rc-engine hub has, and gives it time to drain', () => {
    const unit = read('rc-engine-hub.service');
    for (const [name] of unit.matchAll(/RC_ENGINE_\w+/g)) expect(hubVariables).toContain(name);
    const stop = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]);
    expect(stop).toBeGreaterThan(Number(hub.options.drain.default.match(/\d+/)?.[0]));
  });

  it.skipIf(!hasAnalyze)('HUB-47: systemd-analyze accepts it', () => {
    const { stderr } = spawnSync('systemd-analyze', ['verify', join(DEPLOY, 'rc-engine-hub.service')], {
      encoding: 'utf8',
    });
    expect(stderr.split('\n').filter((line) => line.includes('rc-engine-hub.service'))).toEqual([]);
  });
});
