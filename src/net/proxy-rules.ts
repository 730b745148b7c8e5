/**
 * Which proxy serves a URL, from the environment as curl reads it. RC-25b
 *
 * HTTPS_PROXY serves https and wss, HTTP_PROXY serves http and ws, ALL_PROXY serves what these leave open; of each, the
 * lower-case name comes first. NO_PROXY and loopback hosts are reached directly.
 */
import { BlockList, isIP, type Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { isLoopbackHost } from '../system/loopback-host.js';
import { shownUrl } from './target.js';

interface ProxySetting {
  /** Scheme, host and port; never user or password. */
  readonly shown: string;
  /** Undefined when the setting is not a proxy URL. Requests then fail: they never bypass the setting. */
  readonly url: URL | undefined;
}

/** One connection through a proxy. An agent made from it serves one request. */
export interface ProxyHop {
  /** With user and password. */
  readonly url: URL;
  /** Without them. */
  readonly shown: string;
  /** True when the target speaks TLS. */
  readonly secure: boolean;
  /** Undefined: Node's default certificate authorities. */
  readonly secureContext: SecureContext | undefined;
  /** Ends the attempt and everything that it opened. */
  readonly signal: AbortSignal;
  /** The proxy has connected to the target; with `secure` the TLS handshake on this socket begins. */
  readonly onConnected: ((socket: Socket) => void) | undefined;
}

export const PROXY_ERROR_CODE = 'ERR_PROXY';

/** The proxy refused or failed before it had connected to the target. RC-25b */
export class ProxyError extends Error {
  /** HTTP clients that wrap the error keep its code and nothing else. */
  readonly code = PROXY_ERROR_CODE;

  /** @param proxy without credentials */
  constructor(proxy: string, what: string) {
    super(`proxy ${proxy} ${what}`);
    this.name = 'ProxyError';
  }
}

/** Answers which proxy serves a URL; undefined: a direct connection. */
export function parseProxyRules(
  env: Readonly<Record<string, string | undefined>>,
): (url: URL) => ProxySetting | undefined {
  const setting = (name: string): string | undefined => env[name.toLowerCase()] || env[name] || undefined;
  const all = parseProxy(setting('ALL_PROXY'));
  const http = parseProxy(setting('HTTP_PROXY')) ?? all;
  const https = parseProxy(setting('HTTPS_PROXY')) ?? all;
  const isExempt = parseNoProxy(setting('NO_PROXY') ?? '');
  return (url) => {
    if (isLoopbackHost(url.hostname)) return undefined;
    const secure = isSecure(url);
    const proxy = secure ? https : http;
    if (proxy === undefined || isExempt(url.hostname, url.port || (secure ? '443' : '80'))) return undefined;
    return proxy;
  };
}

/** True for https and wss. */
export function isSecure(url: URL): boolean {
  return url.protocol === 'https:' || url.protocol === 'wss:';
}

const PROXY_SCHEMES = new Set(['http:', 'https:', 'socks:', 'socks4:', 'socks4a:', 'socks5:', 'socks5h:']);

function parseProxy(value: string | undefined): ProxySetting | undefined {
  if (value === undefined) return undefined;
  const text = value.includes('://') ? value : `http://${value}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !PROXY_SCHEMES.has(url.protocol) || url.host === '' || !isDecodable(url)) {
    return { shown: shownUrl(text), url: undefined };
  }
  return { shown: `${url.protocol}//${url.host}`, url };
}

/** The agents decode user and password, and would throw in the middle of a request. */
function isDecodable(url: URL): boolean {
  try {
    decodeURIComponent(url.username);
    decodeURIComponent(url.password);
    return true;
  } catch {
    return false;
  }
}

type ProxyExemption = (hostname: string, port: string) => boolean;

/**
 * The hosts of a NO_PROXY list, read as curl reads it: a name covers its subdomains, with or without a leading dot;
 * an address may be a network (10.0.0.0/8); `host:port` covers one port; `*` covers all hosts.
 */
export function parseNoProxy(list: string): ProxyExemption {
  const entries = list.split(/[\s,]+/).filter((entry) => entry !== '');
  if (entries.includes('*')) return () => true;
  const rules = entries.map(parseEntry);
  return (hostname, port) => {
    const host = normalizeHost(hostname);
    return rules.some((rule) => (rule.port === undefined || rule.port === port) && rule.covers(host));
  };
}

interface NoProxyRule {
  readonly port: string | undefined;
  covers(host: string): boolean;
}

function parseEntry(entry: string): NoProxyRule {
  const [, bracketed, named, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? [];
  const host = normalizeHost(bracketed ?? named ?? entry);
  const [address = host, prefix] = host.split('/');
  const family = isIP(address);
  if (family !== 0) return { port, covers: inNetwork(address, prefix, family === 6 ? 'ipv6' : 'ipv4') };
  const name = host.replace(/^\*?\.+/, '');
  return {
    port,
    covers: (other) => name !== '' && isIP(other) === 0 && (other === name || other.endsWith(`.${name}`)),
  };
}

function inNetwork(address: string, prefix: string | undefined, family: 'ipv4' | 'ipv6') {
  const addresses = new BlockList();
  const bits = family === 'ipv6' ? 128 : 32;
  const length = prefix === undefined ? bits : Number(prefix);
  // An invalid prefix covers nothing: a request through the proxy is the safe choice.
  if (prefix === '' || !Number.isInteger(length) || length > bits) return () => false;
  addresses.addSubnet(address, length, family);
  return (host: string) => {
    const hostFamily = isIP(host);
    return hostFamily !== 0 && addresses.check(host, hostFamily === 6 ? 'ipv6' : 'ipv4');
  };
}

function normalizeHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');
}
