#!/usr/bin/env node
import type { Argv } from 'yargs';
import { EngineError } from '../protocol/errors.js';
import { errnoText } from '../system/errno.js';
import { REPAIR_STEPS } from './commands/repair-steps.js';
import { runFatalExitHooks } from './death.js';
import { EXIT, errorOutput, exitCodeOf, printError } from './output/output.js';
import { ACCOUNT_SETTINGS } from './settings/account-settings.js';
import { plainStart } from './settings/plain-start.js';
import { lastOf, settleRepeated } from './settings/repeated.js';
import { settingOptions } from './settings/setting-options.js';
import { usageError } from './settings/usage.js';

const whole = process.argv.slice(2);
// What comes after -- is the command of the app server; nothing of it is ours.
const dashes = whole.indexOf('--');
const given = dashes < 0 ? whole : whole.slice(0, dashes);
const appCommand = dashes < 0 ? undefined : whole.slice(dashes + 1);
// `help COMMAND` is what many try first.
const argv = given[0] === 'help' ? [...given.slice(1), '--help'] : given;
const json = argv.includes('--json');
errorOutput.json = json;

process.on('uncaughtException', failHard);
process.on('unhandledRejection', failHard);

/** A fault nobody expected ends the process, the store flushed: never a half-alive engine. */
function failHard(error: unknown): void {
  printError(error);
  void runFatalExitHooks().finally(() => process.exit(EXIT.internal));
}

let stdoutFault: NodeJS.ErrnoException | undefined;
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Once: what ends now may have more to say.
  if (stdoutFault !== undefined) return;
  stdoutFault = error;
  if (error.code !== 'EPIPE') {
    process.stderr.write(`rc-engine: stdout cannot be written: ${errnoText(error)}.\n`);
  }
  void runFatalExitHooks().finally(() => process.exit(endCode()));
});
process.stderr.on('error', () => {});

const home = {
  home: {
    type: 'string',
    requiresArg: true,
    description: 'folder of the engine; RC_ENGINE_HOME [default: ~/.rc-engine]',
  },
} as const;
const jsonFlag = { json: { type: 'boolean', description: 'JSON on stdout' } } as const;

/** Seconds for each answer of `call`. */
const DEFAULT_CALL_LIMIT = 30;
/** Longest time that a timer of this platform takes, in seconds. */
const MAX_SECONDS = (2 ** 31 - 1) / 1000;

const seconds =
  (flag: string) =>
  (given: number | readonly number[] | undefined): number | undefined => {
    const value = lastOf(given);
    if (value === undefined || (value >= 0 && value <= MAX_SECONDS)) return value;
    throw new EngineError('usage', `${flag} must be a number of seconds, 0 to ${Math.floor(MAX_SECONDS)}.`);
  };

let exitCode: number = EXIT.ok;
/** A reader that went away, as `head` does, is no failure; a full disk is. */
const endCode = (): number =>
  stdoutFault === undefined || stdoutFault.code === 'EPIPE' ? exitCode : exitCode || EXIT.failed;
/** Runs a command and keeps its exit code. */
const run = (command: () => Promise<number>) => async () => {
  exitCode = await command();
};

/** Flags of the commands that sign in and out; they hold where no engine runs. */
function accountOptions(args: Argv): Argv {
  args.options({ ...home, ...jsonFlag });
  const names: readonly string[] = ACCOUNT_SETTINGS.map(({ name }) => name);
  settingOptions(args, (name) => names.includes(name) || name === 'caCert');
  return args;
}

function startOptions(args: Argv): Argv {
  args.options(home);
  settingOptions(args, () => true);
  return args
    .option('no-remote-control', {
      type: 'boolean',
      group: 'Remote control:',
      description: 'the same as --remote-control off',
    })
    .example('$0 start --base-url embedded', 'try it out: a backend in the same process')
    .example('$0 start -- codex app-server', 'one app server for each client')
    .example('$0 start --auth-file ~/.codex/auth.json', 'use the sign-in of another client');
}

/** Reads any command line and runs its command. */
async function runParsed(): Promise<void> {
  const { default: yargs } = await import('yargs');
  const parser = yargs(argv);
  await parser
    .scriptName('rc-engine')
    // Wider lines are hard to read, and a pipe has no width.
    .wrap(Math.min(parser.terminalWidth() || 80, 110))
    .usage('$0 COMMAND\n\nKeeps a local app server safely reachable, from far and from near.')
    .locale('en')
    .parserConfiguration({
      'boolean-negation': false,
      'greedy-arrays': false,
      'dot-notation': false,
    })
    .command(
      'start',
      'run an engine until Ctrl-C',
      (args) => startOptions(args),
      async (args) => {
        const off = args.noRemoteControl === true ? { remoteControl: 'off' } : {};
        await run(async () => (await import('./commands/start.js')).start({ ...args, ...off }, appCommand))();
      },
    )
    .command('token', 'make what the bearer modes of the listener need', (args) =>
      args
        .command(
          'create',
          'a new capability token in a file of mode 0600; prints its SHA-256',
          (one) =>
            one.options({
              capability: {
                type: 'string',
                requiresArg: true,
                demandOption: true,
                description: 'file to make; it must not be there',
              },
              ...jsonFlag,
            }),
          async (one) => run(async () => (await import('./commands/token.js')).createToken(one))(),
        )
        .command(
          'sign',
          'a signed bearer token (HS256); prints it',
          (one) =>
            one.options({
              'secret-file': {
                type: 'string',
                requiresArg: true,
                demandOption: true,
                description: 'file with the shared secret, absolute path',
              },
              issuer: { type: 'string', requiresArg: true, description: 'iss' },
              audience: { type: 'string', requiresArg: true, description: 'aud' },
              ttl: {
                type: 'number',
                requiresArg: true,
                coerce: seconds('--ttl'),
                description: 'seconds until it ends [default: 3600]',
              },
              ...jsonFlag,
            }),
          async (one) => run(async () => (await import('./commands/token.js')).signToken(one))(),
        )
        .demandCommand(1, 'Say create or sign.'),
    )
    .command(
      'login',
      'sign in: with a browser, on another device, or with an API key',
      (args) =>
        accountOptions(args).options({
          device: { type: 'boolean', description: 'show a code to enter on another device' },
          'api-key-stdin': { type: 'boolean', description: 'read an API key from stdin' },
          'no-browser': { type: 'boolean', description: 'print the address only' },
          'no-qr': { type: 'boolean', description: 'with --device: no picture of the address' },
        }),
      async (args) => run(async () => (await import('./commands/login.js')).login(args))(),
    )
    .command(
      'logout',
      'sign out',
      (args) =>
        accountOptions(args).options({
          all: { type: 'boolean', description: 'also what lies beneath the tokens of a parent app' },
        }),
      async (args) => run(async () => (await import('./commands/logout.js')).logout(args))(),
    )
    .command(
      'whoami',
      'who is signed in; exit code 3 when nobody is, or not in a usable way',
      (args) => accountOptions(args),
      async (args) => run(async () => (await import('./commands/whoami.js')).whoami(args))(),
    )
    .command(
      'status',
      'how the engine of a home is doing; exit code 0 connected, 1 not, 5 no engine',
      (args) => args.options({ ...home, ...jsonFlag }),
      async (args) => run(async () => (await import('./commands/status.js')).status(args))(),
    )
    .command(
      'wait',
      'return when the engine of a home is connected',
      (args) =>
        args.options({
          ...home,
          ...jsonFlag,
          timeout: {
            type: 'number',
            requiresArg: true,
            coerce: seconds('--timeout'),
            description: 'seconds to wait at most [default: for ever]',
          },
        }),
      async (args) => run(async () => (await import('./commands/wait.js')).wait(args))(),
    )
    .command(
      'graph [machine]',
      'the statecharts as pictures and data, or what changed in them',
      (args) =>
        args
          .positional('machine', { type: 'string', description: 'name of a chart [default: all]' })
          .options({
            format: {
              type: 'string',
              requiresArg: true,
              description: 'svg | mermaid | json | dot | html [default: svg]',
            },
            out: { type: 'string', requiresArg: true, description: 'folder to write to [default: stdout]' },
            diff: {
              type: 'string',
              requiresArg: true,
              description: 'say in words what changed since this git revision',
            },
            ...jsonFlag,
          }),
      async (args) => run(async () => (await import('./commands/graph.js')).graph(args))(),
    )
    .command(
      'paths [machine]',
      'test scenarios generated from the statecharts',
      (args) =>
        args
          .positional('machine', { type: 'string', description: 'name of a chart [default: all]' })
          .options({
            coverage: {
              type: 'string',
              requiresArg: true,
              description: 'transitions | states | pairs [default: transitions]',
            },
            format: { type: 'string', requiresArg: true, description: 'markdown | json [default: markdown]' },
          }),
      async (args) => run(async () => (await import('./commands/paths.js')).paths(args))(),
    )
    .command(
      'inspect <file>',
      'replay a timeline that the page of start --inspect has saved',
      (args) =>
        args.positional('file', { type: 'string', demandOption: true }).options({
          port: {
            type: 'string',
            requiresArg: true,
            description: 'port of 127.0.0.1 [default: any free one]',
          },
          ...jsonFlag,
        }),
      async (args) => run(async () => (await import('./commands/inspect.js')).inspect(args))(),
    )
    .command(
      'explain <code>',
      'what an error or reason means and what to do',
      (args) => args.positional('code', { type: 'string', demandOption: true }).options(jsonFlag),
      async (args) => run(async () => (await import('./commands/explain.js')).explainCode(args))(),
    )
    .command(
      'repair',
      'a link that does not come up: what can be done, and do what is confirmed',
      (args) => {
        settingOptions(args, (name) => name === 'store');
        return args.options({
          ...home,
          ...jsonFlag,
          step: {
            choices: REPAIR_STEPS.map(({ name }) => name),
            requiresArg: true,
            description: 'this one only',
          },
          yes: { type: 'boolean', description: 'do the --step without asking' },
          store: { type: 'string' },
        });
      },
      async (args) => run(async () => (await import('./commands/repair.js')).repair(args))(),
    )
    .command(
      'pair',
      'ask for a pairing code, for a controller to be let in',
      (args) =>
        args.options({
          ...home,
          ...jsonFlag,
          wait: { type: 'boolean', description: 'until the code is claimed' },
        }),
      async (args) => run(async () => (await import('./commands/pair.js')).pair(args))(),
    )
    .command(
      'call [method] [params]',
      'talk to an environment as a remote controller does (embedded backend)',
      (args) =>
        args
          .positional('method', {
            type: 'string',
            description: 'JSON-RPC method; without it, METHOD PARAMS lines of stdin',
          })
          .positional('params', { type: 'string', description: 'JSON' })
          .options({
            'base-url': {
              type: 'string',
              requiresArg: true,
              demandOption: true,
              description: 'URL of the embedded backend',
            },
            code: { type: 'string', requiresArg: true, description: 'pairing code, claimed once' },
            controller: {
              type: 'string',
              requiresArg: true,
              description:
                'file (0600) that keeps what the code was claimed for, to call again without a code',
            },
            timeout: {
              type: 'number',
              requiresArg: true,
              coerce: seconds('--timeout'),
              description: `seconds for each answer [default: ${DEFAULT_CALL_LIMIT}]`,
            },
            ...jsonFlag,
          }),
      async (args) =>
        run(async () =>
          (await import('./commands/call.js')).call({ ...args, timeout: args.timeout ?? DEFAULT_CALL_LIMIT }),
        )(),
    )
    .command(
      'backend',
      'run the embedded backend by itself, for development',
      (args) =>
        args.options({
          listen: {
            type: 'string',
            requiresArg: true,
            default: 'http://127.0.0.1:8787',
            description: 'loopback address',
          },
          'state-file': {
            type: 'string',
            requiresArg: true,
            description: 'file that keeps identities [default: memory]',
          },
          'token-ttl': {
            type: 'number',
            requiresArg: true,
            coerce: seconds('--token-ttl'),
            description: 'life of a server token, seconds [default: 3600]',
          },
          faults: {
            type: 'boolean',
            description: 'serve POST /__faults, which makes it misbehave on purpose',
          },
          ...jsonFlag,
        }),
      async (args) => run(async () => (await import('./commands/backend.js')).backend(args))(),
    )
    .middleware(settleRepeated, true)
    .demandCommand(1, 'Say what to do.')
    .strict()
    .recommendCommands()
    .version(false)
    .option('version', { type: 'boolean', description: 'version; with --json also the hashes of the charts' })
    .completion('completion', 'print a completion script for bash or zsh')
    .help()
    .alias('h', 'help')
    .epilogue(
      'Exit codes: 0 clean, 1 failed, 2 usage, 3 sign-in needed, 4 already running, 5 no engine, 70 internal.',
    )
    .exitProcess(false)
    .showHelpOnFail(false)
    .fail((message, error) => {
      if (error instanceof Error && !(error.name === 'YError')) throw error;
      throw usageError(message ?? error?.message ?? 'The command line is wrong.', argv);
    })
    .parseAsync();
}

try {
  if (argv[0] === '-v' || argv.includes('--version'))
    exitCode = await (await import('./commands/version.js')).version(json);
  else if (appCommand !== undefined && argv[0] !== 'start') {
    throw new EngineError('usage', 'Only start takes a command after --.');
  } else {
    const plain = plainStart(argv);
    if (plain === undefined) await runParsed();
    else exitCode = await (await import('./commands/start.js')).start(plain, appCommand);
  }
} catch (error) {
  printError(error);
  exitCode = exitCodeOf(error);
}
// Everything has been closed by its owner; a stray handle must not keep a finished command alive.
process.exitCode = endCode();
await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
process.exit(endCode());
