// docs/authority.md, from the authority table of the sessions.

/** @returns the text of docs/authority.md */
export function authorityDocument({ AUTHORITIES, ENGINE_METHODS, APP_SERVER_METHODS }) {
  const least = ({ least, unless }) =>
    unless === undefined ? `\`${least}\`` : `\`${least}\`; with ${unless.shown} \`${unless.least}\``;
  const row = (name, entry) => `| \`${name}\` | ${least(entry)} | ${entry.why} |`;
  const head = ['| method | least authority | why |', '| --- | --- | --- |'];
  return [
    '# Who may call what',
    '',
    '<!-- Generated from src/session/authority-table.ts by `npm run charts`. Do not edit. -->',
    '',
    'Connecting is not permission to act. Each way in has an authority, and each method below needs one. From the least',
    `to the most: ${AUTHORITIES.map((authority) => `\`${authority}\``).join(', ')}.`,
    '',
    '| authority | who has it |',
    '| --- | --- |',
    '| `degraded` | A local connection that presented no valid token, with `--no-token-check`. |',
    '| `remote` | A paired controller. |',
    '| `listener` | A local connection with the credential of the listener. |',
    '| `stdio` | The process that started the engine with `--listen stdio://`. |',
    '| `control` | A program that can open the control socket in the home, such as `rc-engine status`. |',
    '',
    'A call with too little authority gets JSON-RPC error -32003, which names the setting that refused it. It never reaches',
    'the app server. A method that is in neither table belongs to the app server; everybody who is connected may call it.',
    '',
    'An agent other than Codex ([agents.md](agents.md)) answers `account/*` and `getAuthStatus` itself, without what the',
    'engine leaves out of its own responses. There these methods need `listener`, and so do its `account/*` notifications.',
    '',
    'These settings change the tables. `rc-engine status` shows them, and `start` warns of them:',
    '',
    '- `--remote-authority full`: controllers may do what `listener` may.',
    '- `--degraded-authority full`: degraded connections may do what `listener` may.',
    '- `--allow-method remote:PATTERN`, `degraded:PATTERN`, or the name of one method: allows just that.',
    '- `--deny-method PATTERN`: refuses more.',
    '',
    'A message in which another program could read a different method (a repeated member, `Method` in place of `method`) is',
    'refused below `listener`, and for everybody where `--allow-method` or `--deny-method` is given. Responses are checked',
    'the same way. A degraded connection gets no `account/*` notification, and a controller none about a sign-in.',
    '',
    '## Methods of the engine',
    '',
    ...head,
    ...Object.entries(ENGINE_METHODS).map(([name, entry]) => row(name, entry)),
    '',
    '## Methods of app servers that touch accounts, credentials or devices',
    '',
    'The first pattern that matches counts. A new method of a family is refused until it has a row of its own.',
    '',
    ...head,
    ...APP_SERVER_METHODS.map((entry) => row(entry.methods, entry)),
    '',
  ].join('\n');
}
