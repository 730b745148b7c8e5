import type { Command, CommandGroup } from '../parser/command.js';
import { backend } from './backend.js';
import { call } from './call.js';
import { completionOf } from './completion.js';
import { config } from './config.js';
import { connect } from './connect.js';
import { devices } from './devices.js';
import { doctor } from './doctor.js';
import { disable, enable } from './enable.js';
import { explain } from './explain.js';
import { graph } from './graph.js';
import { history } from './history.js';
import { hub } from './hub.js';
import { inspect } from './inspect.js';
import { login } from './login.js';
import { logout } from './logout.js';
import { logs } from './logs.js';
import { metrics } from './metrics.js';
import { pair } from './pair.js';
import { paths } from './paths.js';
import { repair } from './repair.js';
import { replay } from './replay.js';
import { report } from './report.js';
import { restart } from './restart.js';
import { service } from './service.js';
import { start } from './start.js';
import { status } from './status.js';
import { stop } from './stop.js';
import { token } from './token.js';
import { url } from './url.js';
import { wait } from './wait.js';
import { whoami } from './whoami.js';

/** All commands, in the order of the help. */
export const COMMANDS: readonly (Command | CommandGroup)[] = [
  start,
  status,
  wait,
  stop,
  restart,
  enable,
  disable,
  logs,
  history,
  replay,
  url,
  config,
  service,
  metrics,
  pair,
  connect,
  devices,
  doctor,
  repair,
  report,
  explain,
  login,
  logout,
  whoami,
  token,
  call,
  backend,
  hub,
  graph,
  paths,
  inspect,
  completionOf(() => COMMANDS),
];
