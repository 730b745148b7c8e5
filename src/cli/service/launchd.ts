/** The launchd job of an engine. It has only been run on Linux as text: the commands follow the manual of launchctl. RC-128 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ServiceDefinition } from './definition.js';
import { MARK } from './systemd.js';

export function plistText({ name, command, environment, home }: ServiceDefinition): string {
  const variables = Object.entries(environment).flatMap(([key, value]) => [
    `    <key>${escaped(key)}</key>`,
    `    <string>${escaped(value)}</string>`,
  ]);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    `<!-- ${MARK} -->`,
    '<plist version="1.0">',
    '<dict>',
    '  <key>Label</key>',
    `  <string>${escaped(name)}</string>`,
    '  <key>ProgramArguments</key>',
    '  <array>',
    ...command.map((word) => `    <string>${escaped(word)}</string>`),
    '  </array>',
    '  <key>EnvironmentVariables</key>',
    '  <dict>',
    ...variables,
    '  </dict>',
    '  <key>RunAtLoad</key>',
    '  <true/>',
    '  <key>KeepAlive</key>',
    '  <dict>',
    '    <key>SuccessfulExit</key>',
    '    <false/>',
    '  </dict>',
    '  <key>ThrottleInterval</key>',
    '  <integer>10</integer>',
    '  <key>ExitTimeOut</key>',
    '  <integer>15</integer>',
    '  <key>Umask</key>',
    '  <integer>63</integer>',
    '  <key>StandardOutPath</key>',
    '  <string>/dev/null</string>',
    '  <key>StandardErrorPath</key>',
    `  <string>${escaped(join(home, 'service.log'))}</string>`,
    '</dict>',
    '</plist>',
    '',
  ].join('\n');
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
const escaped = (text: string): string => text.replace(/[&<>]/g, (character) => ENTITIES[character] ?? '');

export const plistPath = (name: string): string => join(homedir(), 'Library/LaunchAgents', `${name}.plist`);

const domain = (): string => `gui/${process.getuid?.() ?? 0}`;

export const bootstrap = (path: string): readonly [string, ...string[]] => [
  'launchctl',
  'bootstrap',
  domain(),
  path,
];
export const bootout = (name: string): readonly [string, ...string[]] => [
  'launchctl',
  'bootout',
  `${domain()}/${name}`,
];
export const print = (name: string): readonly [string, ...string[]] => [
  'launchctl',
  'print',
  `${domain()}/${name}`,
];
