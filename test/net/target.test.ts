import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPathSegment, normalizeAllowedHost, parseTarget, type Target } from '../../src/net/target.js';
import { isLoopbackHost } from '../../src/system/loopback-host.js';

function accept(url: string, allowHosts: readonly string[] = []): Target {
  const parsed = parseTarget(url, { allowHosts });
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.target;
}

function refuse(url: string, allowHosts: readonly string[] = []): string {
  const parsed = parseTarget(url, { allowHosts });
  if (parsed.ok) throw new Error(`accepted ${url} as ${parsed.target.baseUrl}`);
  expect(parsed.reason).toBe('targetRefused');
  return parsed.message;
}

describe('parseTarget', () => {
  it.each([
    'https://chatgpt.com/backend-api',
    'https://chatgpt.com/backend-api/',
    'HTTPS://ChatGPT.com/backend-api',
  ])('RC-1: derives each address from %s', (base) => {
    const target = accept(base);
    expect(target).toMatchObject({
      baseUrl: 'https://chatgpt.com/backend-api/',
      enroll: 'https://chatgpt.com/backend-api/wham/remote/control/server/enroll',
      refresh: 'https://chatgpt.com/backend-api/wham/remote/control/server/refresh',
      pair: 'https://chatgpt.com/backend-api/wham/remote/control/server/pair',
      pairStatus: 'https://chatgpt.com/backend-api/wham/remote/control/server/pair/status',
      socketUrl: 'wss://chatgpt.com/backend-api/wham/remote/control/server',
      key: 'wss://chatgpt.com/backend-api/wham/remote/control/server',
    });
    expect(target.controllers('env_1')).toBe(
      'https://chatgpt.com/backend-api/wham/remote/control/environments/env_1/clients',
    );
    expect(target.controller('env_1', 'client_1')).toBe(
      'https://chatgpt.com/backend-api/wham/remote/control/environments/env_1/clients/client_1',
    );
  });

  it('RC-1: http becomes ws, and a base without a path works too', () => {
    expect(accept('http://127.0.0.1:8080').socketUrl).toBe('ws://127.0.0.1:8080/wham/remote/control/server');
    expect(accept('http://localhost:8080/x/y').enroll).toBe(
      'http://localhost:8080/x/y/wham/remote/control/server/enroll',
    );
  });

  it.each([
    'https://chatgpt-staging.com/x',
    'https://api.chatgpt.com/x',
    'https://a.b.chatgpt-staging.com/x',
    'https://chatgpt.com:8443/x',
    'http://localhost/x',
    'https://localhost:8443/x',
    'http://127.0.0.1/x',
    'http://127.255.3.4:9/x',
    'https://127.0.0.1:1/x',
    'http://[::1]:8080/x',
    'https://[::1]/x',
  ])('RC-2: accepts %s', (url) => {
    accept(url);
  });

  it.each([
    ['plain http to a remote host', 'http://chatgpt.com/backend-api'],
    ['another host', 'https://example.com/backend-api'],
    ['a sibling', 'https://chat.openai.com/backend-api'],
    ['a suffix look-alike', 'https://chatgpt.com.evil.com/backend-api'],
    ['a prefix look-alike', 'https://evilchatgpt.com/backend-api'],
    ['a dash look-alike', 'https://api-chatgpt.com/x'],
    ['a sub-domain of localhost', 'https://foo.localhost/backend-api'],
    ['localhost as a prefix', 'http://localhost.evil.com/x'],
    ['an address as a prefix', 'http://127.0.0.1.evil.com/x'],
    ['an address as a user', 'http://127.0.0.1@evil.com/x'],
    ['userinfo before an allowed host', 'https://user:pass@chatgpt.com/backend-api'],
    ['empty userinfo', 'https://@chatgpt.com/backend-api'],
    ['an allowed host as userinfo', 'https://chatgpt.com@evil.com/backend-api'],
    ['an encoded @', 'https://chatgpt.com%40evil.com/x'],
    ['a trailing dot', 'https://chatgpt.com./x'],
    ['a trailing dot on localhost', 'http://localhost./x'],
    ['a trailing dot on an address', 'http://127.0.0.1./x'],
    ['an empty label', 'https://.chatgpt.com/x'],
    ['a Cyrillic look-alike', 'https://сhatgpt.com/x'],
    ['the punycode of a look-alike', 'https://xn--hatgpt-q8g.com/x'],
    ['full-width letters', 'https://ｃｈａｔｇｐｔ.com/x'],
    ['a percent-encoded host', 'https://%63hatgpt.com/x'],
    ['the ideographic full stop', 'https://chatgpt。com/x'],
    ['a short address', 'http://127.1/x'],
    ['a hex address', 'http://0x7f.1/x'],
    ['an octal address', 'http://0177.0.0.1/x'],
    ['a decimal address', 'http://2130706433/x'],
    ['the unspecified address', 'http://0.0.0.0/x'],
    ['a private address', 'https://10.0.0.1/x'],
    ['a link-local address', 'http://169.254.169.254/x'],
    ['an IPv4-mapped loopback', 'http://[::ffff:127.0.0.1]/x'],
    ['an IPv4-mapped loopback in hex', 'http://[::ffff:7f00:1]/x'],
    ['the unspecified IPv6 address', 'http://[::]/x'],
    ['a long-winded ::1', 'http://[0:0:0:0:0:0:0:1]/x'],
    ['port 0', 'http://127.0.0.1:0/x'],
    ['a port past the end', 'http://127.0.0.1:70000/x'],
    ['an empty port', 'https://chatgpt.com:/x'],
    ['a query', 'https://chatgpt.com/backend-api?x=1'],
    ['an empty query', 'https://chatgpt.com/backend-api?'],
    ['a fragment', 'https://chatgpt.com/backend-api#x'],
    ['a backslash', 'https://evil.com\\@chatgpt.com/x'],
    ['backslashes for slashes', 'https:\\\\chatgpt.com/x'],
    ['missing slashes', 'https:chatgpt.com/x'],
    ['too many slashes', 'https:///chatgpt.com/x'],
    ['a tab in the host', 'https://chat\tgpt.com/x'],
    ['a line break in the path', 'https://chatgpt.com/a\nb'],
    ['white space around it', ' https://chatgpt.com/x'],
    ['a socket scheme', 'wss://chatgpt.com/x'],
    ['a file', 'file:///etc/passwd'],
    ['no scheme', 'chatgpt.com/backend-api'],
    ['nothing', ''],
  ])('RC-2: refuses %s', (_what, url) => {
    expect(refuse(url)).toContain('--allow-host');
  });

  it('RC-2: the message names the URL without its userinfo and says what is allowed', () => {
    const message = refuse('https://user:hunter2@evil.com/path?token=t0ps3cret#frag');
    expect(message).toContain('https://evil.com/path');
    expect(message).toContain('chatgpt.com, chatgpt-staging.com');
    expect(message).toContain('localhost');
    expect(message).toContain('it contains a user or password');
    expect(message).not.toMatch(/hunter2|user:|t0ps3cret|frag\b/);
  });

  it.each([
    'user:hunter2@chatgpt.com',
    'https://user:hunter2/x@chatgpt.com:bad/x',
    'https://us er:hunter2@chatgpt.com/x',
    'ftp://user:hunter2@chatgpt.com/x',
    'https:user:hunter2@chatgpt.com',
  ])('RC-2: shows no password of %s, which is hard to parse', (url) => {
    expect(refuse(url)).not.toContain('hunter2');
  });

  it('RC-2: the message is one line of bounded length', () => {
    const message = refuse(`https://evil.com/${'a\n'.repeat(5_000)}`);
    expect(message).not.toMatch(/[\n\r]/);
    expect(message.length).toBeLessThan(700);
  });

  it('RC-2: --allow-host allows https to that host only', () => {
    const allow = ['Corp.example', 'one.example:8443', '10.0.0.5', '[fd00::5]'];
    expect(accept('https://corp.example/x', allow).enroll).toBe(
      'https://corp.example/x/wham/remote/control/server/enroll',
    );
    accept('https://corp.example:444/x', allow);
    accept('https://one.example:8443/x', allow);
    accept('https://10.0.0.5/x', allow);
    accept('https://[fd00::5]/x', allow);
    refuse('https://one.example/x', allow);
    refuse('https://sub.corp.example/x', allow);
    refuse('https://evilcorp.example/x', allow);
    expect(refuse('http://corp.example/x', allow)).toContain('only https is allowed to other machines');
    expect(refuse('https://other.example/x', allow)).toContain('Corp.example');
  });

  it.each(['', 'https://corp.example', 'corp.example/x', 'user@corp.example', '*.example', 'a b', '127.1'])(
    'RC-2: %j is not a host that can be allowed',
    (entry) => {
      expect(normalizeAllowedHost(entry)).toBeUndefined();
    },
  );

  it('RC-49: path segments are percent-encoded; ids that lead to another route are refused', () => {
    const target = accept('https://chatgpt.com/backend-api');
    expect(target.controller('env/one?#', 'ü ..%')).toBe(
      'https://chatgpt.com/backend-api/wham/remote/control/environments/env%2Fone%3F%23/clients/%C3%BC%20..%25',
    );
    for (const id of ['', '.', '..', '\uD800']) {
      expect(isPathSegment(id)).toBe(false);
      expect(() => target.controllers(id)).toThrow(RangeError);
      expect(() => target.controller('env', id)).toThrow(RangeError);
    }
  });
});

describe('parseTarget, for any text', () => {
  const hostile = fc.oneof(
    fc.webUrl({ withFragments: true, withQueryParameters: true }),
    fc
      .tuple(
        fc.constantFrom('https://', 'http://', 'https:', 'HTTPS://', 'https:\\\\', ''),
        fc.constantFrom('', 'chatgpt.com', 'evil.com', 'localhost', '127.0.0.1', 'u:p@', '@', 'x.'),
        fc.constantFrom('', '@', '.', '%40', '。', '/', '\\', ':', '\t', ':443', '%2e'),
        fc.constantFrom('chatgpt.com', 'evil.com', 'localhost', '127.1', '[::1]', '', '8'),
        fc.string({ unit: 'grapheme', maxLength: 12 }),
      )
      .map((parts) => parts.join('')),
    fc.string(),
  );

  it('RC-2: an accepted URL uses https to a backend host, or stays on this machine', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const parsed = parseTarget(text, { allowHosts: [] });
        if (!parsed.ok) return;
        for (const address of [
          parsed.target.enroll,
          parsed.target.socketUrl,
          parsed.target.controllers('../x'),
        ]) {
          const url = new URL(address);
          const own = /(?:^|\.)chatgpt(?:-staging)?\.com$/.test(url.hostname);
          expect(isLoopbackHost(url.hostname) || (own && /^(?:https|wss):$/.test(url.protocol))).toBe(true);
          expect(url.username + url.password + url.search + url.hash).toBe('');
          expect(url.pathname).toContain('/wham/remote/control/');
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it('RC-2: no message shows the part before an @', () => {
    fc.assert(
      fc.property(
        hostile,
        fc.constantFrom('https://', 'http://', 'x:', ''),
        fc.constantFrom('', '/', '?', '#'),
        (text, scheme, extra) => {
          const parsed = parseTarget(`${scheme}me:s3cr3t${extra}@${text}`, { allowHosts: [] });
          expect(parsed.ok).toBe(false);
          if (!parsed.ok) expect(parsed.message).not.toContain('s3cr3t');
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
