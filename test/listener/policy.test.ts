import { describe, expect, it } from 'vitest';
import type { Origin } from '../../src/protocol/app-server.js';
import { createPolicy, invalidPatternReason } from '../../src/session/policy.js';

const client = (origin: Origin, degraded = false) => ({ origin, connectionId: 'x', degraded });
const allowed = (policy: ReturnType<typeof createPolicy>, method: string, origin: Origin = 'listener') =>
  policy(method, client(origin)) === null;

describe('execution policy', () => {
  it('WSA-7: allows everything when nothing was said', () => {
    expect(allowed(createPolicy(), 'any/thing')).toBe(true);
  });

  it('WSA-7: * stands for anything, the rest for itself', () => {
    const policy = createPolicy({ denyMethods: ['account/login/*', 'a.b', '*/exec'] });
    const denied = ['account/login/start', 'account/login/x/y', 'a.b', 'command/exec', 'x/y/exec'];
    for (const method of denied) expect(allowed(policy, method)).toBe(false);
    for (const method of ['account/login', 'account/loginx/y', 'aXb', 'command/exec2', 'A.B']) {
      expect(allowed(policy, method)).toBe(true);
    }
  });

  it('WSA-7: where something is allowed, nothing else is; deny goes first', () => {
    const policy = createPolicy({ allowMethods: ['thread/*', 'model/list'], denyMethods: ['thread/delete'] });
    expect(allowed(policy, 'thread/list')).toBe(true);
    expect(allowed(policy, 'thread/delete')).toBe(false);
    expect(allowed(policy, 'command/exec')).toBe(false);
    expect(policy('command/exec', client('listener'))).toContain('--allow-method thread/*, model/list');
  });

  it('WSA-7: a rule can be for one origin; a unix socket is a listener, the control socket is no client', () => {
    const policy = createPolicy({
      allowMethods: ['remote:thread/*'],
      denyMethods: ['listener:x', 'stdio:y'],
    });
    expect(allowed(policy, 'thread/list', 'remote')).toBe(true);
    expect(allowed(policy, 'x', 'remote')).toBe(false);
    expect(allowed(policy, 'x', 'listener')).toBe(false);
    expect(allowed(policy, 'x', 'unix')).toBe(false);
    expect(allowed(policy, 'x', 'stdio')).toBe(true);
    expect(allowed(policy, 'y', 'stdio')).toBe(false);
    expect(allowed(policy, 'x', 'control')).toBe(true);
  });

  it('WSA-7: what is judged is what an app server reads: a message with two methods is refused, whatever its parser would take', () => {
    const twice = [
      '{"id":1,"method":"account/logout","method":"thread/list"}',
      '{"id":1,"method":"thread/list","m\\u0065thod":"account/logout"}',
      '{"id":1,"method":"thread/list","params":{"a":[1,"}"]},"Method":"account/logout"}',
    ];
    const once = '{"id":1,"method":"thread/list","params":{"method":1,"Method":2,"method":3}}';
    const policy = createPolicy({ denyMethods: ['account/logout'] });
    for (const text of twice) {
      expect(policy('thread/list', client('listener'), { text })).toContain('comes twice');
      expect(policy('initialize', client('listener'), { text })).toContain('comes twice');
      expect(createPolicy()('thread/list', client('listener', true), { text })).toContain('comes twice');
      expect(createPolicy()('thread/list', client('listener'), { text })).toBeNull();
    }
    expect(policy('thread/list', client('listener'), { text: once })).toBeNull();
  });

  it('initialize and initialized belong to every conversation', () => {
    const policy = createPolicy({ allowMethods: ['thread/*'] });
    expect(allowed(policy, 'initialized')).toBe(true);
  });

  it.each(['', 'remote:', 'a b', 'a;b', 'remote:(x)'])('refuses the pattern %j', (text) => {
    expect(invalidPatternReason(text)).toContain('method name');
  });
});
