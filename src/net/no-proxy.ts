/**
 * Which hosts a NO_PROXY list names, read as curl reads it: names cover their sub-domains, with or without a
 * leading dot; addresses may be networks (10.0.0.0/8); `host:port` covers one port; `*` covers all. RC-25b
 */
import { BlockList, isIP } from 'node:net';

export type ProxyExemption = (hostname: string, port: string) => boolean;

export function parseNoProxy(list: string): ProxyExemption {
  const entries = list.split(/[\s,]+/).filter((entry) => entry !== '');
  if (entries.includes('*')) return () => true;
  const rules = entries.map(parseEntry);
  return (hostname, port) => {
    const host = bare(hostname);
    return rules.some((rule) => (rule.port === undefined || rule.port === port) && rule.covers(host));
  };
}

interface Rule {
  readonly port: string | undefined;
  covers(host: string): boolean;
}

function parseEntry(entry: string): Rule {
  const [, bracketed, named, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? [];
  const host = bare(bracketed ?? named ?? entry);
  const [address = host, prefix] = host.split('/');
  const family = isIP(address);
  if (family !== 0) return { port, covers: network(address, prefix, family === 6 ? 'ipv6' : 'ipv4') };
  const name = host.replace(/^\*?\.+/, '');
  return {
    port,
    covers: (other) => name !== '' && isIP(other) === 0 && (other === name || other.endsWith(`.${name}`)),
  };
}

function network(address: string, prefix: string | undefined, family: 'ipv4' | 'ipv6') {
  const addresses = new BlockList();
  const bits = family === 'ipv6' ? 128 : 32;
  const length = prefix === undefined ? bits : Number(prefix);
  // A prefix that is none covers nothing: going through the proxy is the safe reading.
  if (prefix === '' || !Number.isInteger(length) || length > bits) return () => false;
  addresses.addSubnet(address, length, family);
  return (host: string) => {
    const own = isIP(host);
    return own !== 0 && addresses.check(host, own === 6 ? 'ipv6' : 'ipv4');
  };
}

function bare(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');
}
