import { describe, expect, it } from 'vitest';
import type { Origin } from '../../src/protocol/app-server.js';
import { Message } from '../../src/protocol/message.js';
import { createPolicy, invalidPatternReason } from '../../src/session/policy.js';

const client = (origin: Origin, degraded = false) => ({ origin, connectionId: 'x', degraded });
const allowed = (policy: ReturnType<typeof createPolicy>, method: string, origin: Origin = 'listener') =>
  policy(method, client(origin)) === null;

describe('execution policy', () => {
  it('WSA-7: allows everything by default', () => {
    expect(allowed(createPolicy(), 'any/thing')).toBe(true);
  });

  it('WSA-7: * matches anything, all else matches literally', () => {
    const policy = createPolicy({ denyMethods: ['account/login/*', 'a.b', '*/exec'] });
    const denied = ['account/login/start', 'account/login/x/y', 'a.b', 'command/exec', 'x/y/exec'];
    for (const method of denied) expect(allowed(policy, method)).toBe(false);
    for (const method of ['account/login', 'account/loginx/y', 'aXb', 'command/exec2', 'A.B']) {
      expect(allowed(policy, method)).toBe(true);
    }
  });

  it('WSA-7: with an allow list only its methods are allowed, and deny overrides it', () => {
    const policy = createPolicy({ allowMethods: ['thread/*', 'model/list'], denyMethods: ['thread/delete'] });
    expect(allowed(policy, 'thread/list')).toBe(true);
    expect(allowed(policy, 'thread/delete')).toBe(false);
    expect(allowed(policy, 'command/exec')).toBe(false);
    expect(policy('command/exec', client('listener'))).toContain('--allow-method thread/*, model/list');
  });

  it('WSA-7: a rule can apply to one origin; listener includes unix sockets, and no rule applies to the control socket', () => {
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

  const message = (text: string) => Message.from(text);

  it('WSA-7: a message with a repeated member is refused, because an app server could read another method than the policy', () => {
    const twice = [
      '{"id":1,"method":"account/logout","method":"thread/list"}',
      '{"id":1,"method":"thread/list","m\\u0065thod":"account/logout"}',
      '{"id":1,"method":"thread/list","params":{"a":[1,"}"]},"Method":"account/logout"}',
    ];
    const once = '{"id":1,"method":"thread/list","params":{"method":1,"Method":2,"method":3}}';
    const policy = createPolicy({ denyMethods: ['account/logout'] });
    for (const text of twice) {
      expect(policy('thread/list', client('listener'), message(text))).toContain('is repeated');
      expect(policy('initialize', client('listener'), message(text))).toContain('is repeated');
      expect(createPolicy()('thread/list', client('listener', true), message(text))).toContain('is repeated');
      expect(createPolicy()('thread/list', client('listener'), message(text))).toBeNull();
    }
    expect(policy('thread/list', client('listener'), message(once))).toBeNull();
  });

  it('initialize and initialized are always allowed', () => {
    const policy = createPolicy({ allowMethods: ['thread/*'] });
    expect(allowed(policy, 'initialized')).toBe(true);
  });

  it.each(['', 'remote:', 'a b', 'a;b', 'remote:(x)'])('rejects the pattern %j', (text) => {
    expect(invalidPatternReason(text)).toContain('method name');
  });
});
