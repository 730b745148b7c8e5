import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { ENGINE_METHODS } from '../../src/session/authority-table.js';
import { it, type Json, type Lab } from '../support/lab.js';

async function metricsOf(lab: Lab): Promise<{ readonly url: string; readonly text: string }> {
  const { stdout, stderr } = await lab.cli(['metrics', '--home', lab.home, '--json']);
  expect(stderr).toBe('');
  return JSON.parse(stdout) as { url: string; text: string };
}

const valueIn = (text: string, metric: string): number | undefined => {
  const line = text.split('\n').find((one) => one.startsWith(`${metric} `));
  return line === undefined ? undefined : Number(line.split(' ')[1]);
};

describe('RC-170: metrics', () => {
  it('follow the connection, the tokens and the reasons of losses', async ({ lab }) => {
    await lab.connected(['--metrics-listen', '127.0.0.1:0']);
    const { url, text } = await metricsOf(lab);
    expect(valueIn(text, 'rc_engine_link_state{state="connected"}')).toBe(1);
    expect(valueIn(text, 'rc_engine_signed_in')).toBe(1);
    expect(valueIn(text, 'rc_engine_links_opened_total')).toBe(1);
    expect(valueIn(text, 'rc_engine_link_first_connect_seconds_count')).toBe(1);
    expect(valueIn(text, 'rc_engine_server_token_expiry_timestamp_seconds')).toBeGreaterThan(
      Date.now() / 1000,
    );
    await lab.cli(['disable', '--home', lab.home, '--ephemeral']);
    await lab.cli(['enable', '--home', lab.home, '--ephemeral']);
    await lab.reached({ status: 'connected' });
    const served = await (await fetch(url)).text();
    expect(valueIn(served, 'rc_engine_link_losses_total{reason="disabled"}')).toBe(1);
    expect(valueIn(served, 'rc_engine_links_opened_total')).toBe(2);
    expect(served).toContain('nodejs_eventloop_lag_p99_seconds');
  });

  it('count rejections of the listener, and no name or token of a peer is a label', async ({ lab }) => {
    const engine = await lab.connected(['--listen', 'ws://127.0.0.1:0', '--metrics-listen', '127.0.0.1:0']);
    const listening = await engine.line(({ type }) => type === 'listening', 'listening');
    const address = String(listening.url).replace(/^ws/, 'http');
    await fetch(`${address}?token=secret-of-a-peer`).catch(() => {});
    const { text } = await metricsOf(lab);
    expect(
      valueIn(text, 'rc_engine_listener_decisions_total{outcome="rejected",reason="malformedUpgrade"}'),
    ).toBe(1);
    expect(text).not.toContain('secret-of-a-peer');
    const methods = [...text.matchAll(/method="([^"]*)"/g)].map(([, method]) => method);
    for (const method of methods) expect(Object.keys(ENGINE_METHODS)).toContain(method);
  });

  it('are refused to web pages, and need the token where there is one', async ({ lab }) => {
    const file = join(lab.folder, 'token');
    await writeFile(file, 'a-token-for-prometheus-1234567890\n', { mode: 0o600 });
    await lab.connected(['--metrics-listen', '0.0.0.0:0', '--metrics-token-file', file]);
    const { url } = await metricsOf(lab);
    const get = (headers: Record<string, string>) => fetch(url.replace('0.0.0.0', '127.0.0.1'), { headers });
    expect((await get({})).status).toBe(401);
    expect((await get({ authorization: 'Bearer wrong' })).status).toBe(401);
    const authorization = 'Bearer a-token-for-prometheus-1234567890';
    expect((await get({ authorization, origin: 'http://evil.example' })).status).toBe(403);
    expect((await get({ authorization })).status).toBe(200);
  });

  it('settings that would open them to others, or that cannot be used, stop the start', async ({ lab }) => {
    const open = await lab.cli(['start', '--home', lab.home, '--metrics-listen', '0.0.0.0:0']);
    expect([open.code, open.stderr]).toEqual([
      2,
      expect.stringContaining('so it needs --metrics-token-file'),
    ]);
    const wrong = await lab.cli(['start', '--home', lab.home, '--metrics-listen', 'localhost']);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('must be IP:PORT')]);
    const alone = await lab.cli(['start', '--home', lab.home, '--metrics-token-file', '/x']);
    expect([alone.code, alone.stderr]).toEqual([2, expect.stringContaining('needs --metrics-listen')]);
  });

  it('WSA-68: --metrics serves them at the listener, and the command names the address', async ({ lab }) => {
    const engine = await lab.connected(['--listen', 'ws://127.0.0.1:0', '--metrics']);
    const listening = await engine.line(({ type }) => type === 'listening', 'listening');
    const { url, text } = await metricsOf(lab);
    expect(url).toBe(`${String(listening.url).replace(/^ws/, 'http')}metrics`);
    expect(valueIn(text, 'rc_engine_link_state{state="connected"}')).toBe(1);
    expect((await fetch(url)).status).toBe(401);
    const token = new URL(String(listening.connectUrl)).search;
    const scraped = await fetch(`${url}${token}`);
    expect([scraped.status, await scraped.text()]).toEqual([200, expect.stringContaining('rc_engine_info{')]);
    for (const listen of ['off', 'stdio://']) {
      const none = await lab.cli(['start', '--home', lab.home, '--metrics', '--listen', listen]);
      expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('--metrics needs a listener')]);
    }
  });

  it('without them, the command says how to get them', async ({ lab }) => {
    await lab.connected();
    const { code, stderr } = await lab.cli(['metrics', '--home', lab.home]);
    expect([code, stderr]).toEqual([1, expect.stringContaining('--metrics-listen 127.0.0.1:9464')]);
  });

  it('are what the dashboard and the document name', async ({ lab }) => {
    await lab.connected(['--metrics-listen', '127.0.0.1:0']);
    const { text } = await metricsOf(lab);
    const known = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
    const base = (name: string) => name.replace(/_(?:bucket|sum|count)$/, '');
    const root = join(import.meta.dirname, '../..');
    const dashboard = JSON.parse(readFileSync(join(root, 'docs/grafana-dashboard.json'), 'utf8')) as Json;
    const used = [...JSON.stringify(dashboard).matchAll(/\b(?:rc_engine|nodejs|process)_[a-z0-9_]+/g)];
    for (const [name] of used) expect(known).toContain(base(name));
    const page = readFileSync(join(root, 'docs/metrics.md'), 'utf8');
    for (const name of known)
      if (name?.startsWith('rc_engine_'))
        expect(page).toContain(name.replace(/^rc_engine_(frames|bytes)/, ''));
  });
});
