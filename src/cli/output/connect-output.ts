import type { ConnectReport } from '../../connect/service.js';
import type { ListeningInfo } from '../../listener/status.js';
import type { Reason } from '../../protocol/reasons.js';
import { printJson } from './print.js';
import { shellQuote } from './shell.js';
import { type Output, type Text, text } from './terminal.js';
import { COLOURS, formatDuration, meaningOf } from './text.js';

/** What `connect` prints while it runs. */
export interface ConnectOutput {
  listening(info: ListeningInfo): void;
  report(report: ConnectReport): void;
  /** Ends an open progress line. */
  finish(): void;
}

interface Shown {
  readonly environmentId: string;
  readonly serverName: string;
  /** Of a `ws://` endpoint. */
  readonly tokenFile: string | undefined;
}

/** One object per line: `listening` first, then `status` at each change. */
export function connectJson({ environmentId, serverName, tokenFile }: Shown): ConnectOutput {
  let last = '';
  return {
    listening: ({ url }) =>
      printJson({
        type: 'listening',
        url,
        environmentId,
        serverName,
        ...(tokenFile === undefined ? {} : { tokenFile }),
      }),
    report: ({ online, state, reason, failure, nextAttemptAt, environmentConnected, connections }) => {
      const line = {
        type: 'status',
        status: online ? 'connected' : 'connecting',
        ...{ state, reason, environmentConnected, connections, nextAttemptAt },
        failure: failure?.message ?? null,
      };
      const shown = JSON.stringify(line);
      if (shown === last) return;
      last = shown;
      printJson(line);
    },
    finish: () => {},
  };
}

/** For a person: where the endpoint is and how to use it, then one line that follows the state. */
export function connectText(output: Output, { environmentId, serverName, tokenFile }: Shown): ConnectOutput {
  let last = '';
  let lineOpen = false;
  const finish = (): void => {
    if (lineOpen) output.print('');
    lineOpen = false;
  };
  return {
    listening: ({ url }) => {
      const command =
        tokenFile === undefined
          ? `codex --remote ${shellQuote(url)}`
          : `CODEX_REMOTE_TOKEN="$(cat ${shellQuote(tokenFile)})" codex --remote ${shellQuote(url.replace(/\/$/, ''))} --remote-auth-token-env CODEX_REMOTE_TOKEN`;
      output.print(
        text`  Environment  ${output.paint(COLOURS.bold, serverName)}  ${environmentId}`,
        `  Endpoint     ${url}`,
        text`  Use it       ${output.paint(COLOURS.cyan, command)}`,
        '  Press Ctrl-C to stop.',
        '',
      );
    },
    report: (report) => {
      const line = lineFor(output, report);
      if (String(line) === last) return;
      last = String(line);
      if (!output.overwrites) {
        output.print(line);
        return;
      }
      output.overwrite(line);
      lineOpen = true;
    },
    finish,
  };
}

/** Reasons whose texts are about an engine; none runs here. */
const LINK_WORDS: Partial<Record<Reason, string>> = {
  starting: 'Opens the link.',
  stopped: 'Closes the link.',
};

function lineFor({ paint }: Output, report: ConnectReport): Text {
  const { online, reason, failure, nextAttemptAt, environmentConnected, connections } = report;
  const clients = `${connections} ${connections === 1 ? 'connection' : 'connections'}`;
  if (!online) {
    const why = failure?.message ?? LINK_WORDS[reason] ?? meaningOf(reason);
    const next =
      nextAttemptAt === null ? '' : `  next attempt in ${formatDuration(nextAttemptAt - Date.now())}`;
    return text`${paint(COLOURS.yellow, 'connecting')}  ${why}${next}`;
  }
  if (environmentConnected === false) {
    return text`${paint(COLOURS.yellow, 'offline')}  the environment is not connected to the backend  ${clients}`;
  }
  return text`${paint(COLOURS.green, 'connected')}  ${clients}`;
}
