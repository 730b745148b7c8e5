// What `check-decisions.mjs` allows outside the charts. Each entry has its reason. An entry whose file has no finding of a
// kind that it names is an error, so the lists only get shorter.

/** Directories that are no part of a running engine. */
export const OTHER_PROGRAMS = {
  'src/cli/':
    'A command prints, waits for a person or polls a running engine; the engine takes the decisions.',
  'src/backend/': 'The embedded backend is the other side of the wire, a small program of its own.',
  'src/hub/':
    'A program of its own. The chart hubNode decides the life of a node; who owns an environment is not in a chart yet.',
  'src/controller/': 'A controller is the far side of the wire.',
  'src/inspector/': 'The inspector watches the charts and shows them.',
  'src/recorder/':
    'The recorder writes what the charts decided to a ring of files; what it loses changes nothing in the engine.',
  'src/visualize/': 'Pictures are drawn one after the other.',
  'src/stories/': 'Stories are made from the charts.',
  'src/testing/': 'Paths are played step after step.',
};

/** The data plane and adapters that do one thing: no decision is in these findings. */
export const ALLOWED = {
  'src/account/file/auth-file.ts': [['timer'], 'A half-written file gets a second read 50 ms later.'],
  'src/account/file/file-watcher.ts': [
    ['timer'],
    'Reports that a file may have changed; its reader decides.',
  ],
  'src/account/login/callback-server.ts': [
    ['state', 'timer'],
    'The HTTP server of one sign-in: which page was fetched, and the end of its last responses.',
  ],
  'src/account/token-change.ts': [['loop'], 'Logs each revocation that failed; nothing is repeated.'],
  'src/account/operations.ts': [['loop'], 'Sends the notifications of one operation in their order.'],
  'src/app-server/builtin.ts': [['state'], 'Backpressure and end of one stream.'],
  'src/app-server/child.ts': [
    ['state', 'timer'],
    'A child process gets its signals one after the other, until its group has ended.',
  ],
  'src/app-server/client-gate.ts': [['state'], 'Backpressure and end of the input of one client.'],
  'src/app-server/command.ts': [['timer'], 'The end of a child that does not end with its input.'],
  'src/app-server/descendants.ts': [
    ['loop', 'deadline', 'timer'],
    'Ends the processes that a child left behind, as the operating system allows.',
  ],
  'src/app-server/engine-client.ts': [['state'], 'A connection reports its end once.'],
  'src/app-server/socket.ts': [['state', 'timer'], 'Backpressure and close of one WebSocket.'],
  'src/app-server/supervised-connection.ts': [
    ['state'],
    'What a client has seen of its connection; the chart appServer gets it as facts.',
  ],
  'src/connect/local-connection.ts': [['state'], 'Whether its client writes `jsonrpc`.'],
  'src/engine/app-server-account.ts': [
    ['deadline', 'state'],
    'The limit of one question to the app server, whose answer is yes without one; nothing is sent after the end.',
  ],
  'src/engine/control-watch.ts': [
    ['timer'],
    'Checks once in a while whether the socket file exists, and opens it again.',
  ],
  'src/engine/metrics.ts': [['state'], 'Facts that are counted.'],
  'src/engine/operate-methods.ts': [
    ['deadline'],
    'The limit of one request for the diagnosis; a person reads the result.',
  ],
  'src/engine/local-access.ts': [['state'], 'Nothing is opened after the end.'],
  'src/listener/certificate.ts': [
    ['state', 'timer'],
    'Reads certificate files again when they have changed.',
  ],
  'src/listener/connection.ts': [
    ['state', 'timer'],
    'Backpressure of one socket, and a timer that is longer than a timer can be; the chart gets TOKEN.EXPIRED.',
  ],
  'src/listener/handshake/handshakes.ts': [
    ['timer'],
    'One clock for all handshakes, because a timer for each is too much.',
  ],
  'src/listener/handshake/upgrade-request.ts': [['state'], 'Facts that a parser found.'],
  'src/listener/service.ts': [
    ['timer', 'state'],
    'One clock for the checks of all connections; the chart listenerConnection decides what follows.',
  ],
  'src/listener/upgrade-server.ts': [['timer'], 'The end of a response that nobody reads.'],
  'src/net/clock-watch.ts': [
    ['state'],
    'Reports once that the clock is wrong, and once that it is right again.',
  ],
  'src/net/http-gate.ts': [['timer'], 'The end of a response that nobody reads.'],
  'src/net/http-request.ts': [['timer', 'loop'], 'The limit of one request, and the chunks of its body.'],
  'src/observe/attachable-watcher.ts': [['state'], 'Nobody can attach after the end.'],
  'src/observe/log-budget.ts': [['timer'], 'How many lines were left out is logged once in a while.'],
  'src/observe/rate-limit.ts': [['timer'], 'How many lines were left out is logged once in a while.'],
  'src/protocol/envelope-scan.ts': [['state'], 'A parser.'],
  'src/protocol/outbound.ts': [['state'], 'Nothing is sent after the end of a stream.'],
  'src/remote-control/clients/mux.ts': [
    ['timer', 'state'],
    'One clock for the idle checks of all virtual clients; between the end of all of them and the next link no frame is taken.',
  ],
  'src/remote-control/link/dial.ts': [['timer'], 'The limit of one handshake.'],
  'src/remote-control/link/socket.ts': [
    ['state', 'timer'],
    'Frames of one turn are written together; the end of a close.',
  ],
  'src/remote-control/store/sqlite-table.ts': [
    ['deadline', 'loop', 'timer'],
    'SQLite reports that another process writes; the statement is repeated for up to its limit.',
  ],
  'src/session/client-protocol.ts': [['state'], 'Facts about the protocol of one client.'],
  'src/session/control-server.ts': [
    ['timer'],
    'Reports whether a slow client reads something; the end of a close.',
  ],
  'src/session/line-connection.ts': [['state'], 'The two ends of one stream.'],
  'src/session/server-requests.ts': [['timer'], 'The limit of one request to a client.'],
  'src/session/shared-chart.ts': [
    ['timer'],
    'Runs the delays of a chart that has no actor for each of its clients.',
  ],
  'src/session/stdio.ts': [['state', 'timer'], 'Reports the end of its input and of its parent process.'],
  'src/system/file-lock.ts': [['deadline', 'loop', 'timer'], 'A lock of the operating system with a limit.'],
  'src/system/flock.ts': [['deadline', 'loop', 'timer'], 'A lock of the operating system with a limit.'],
  'src/system/idle-memory.ts': [['timer'], 'Gives memory back while nothing happens.'],
  'src/system/prepared-file.ts': [['loop'], 'Writes until all bytes are written.'],
  'src/system/process-table.ts': [['loop', 'timer'], 'Reads the processes one after the other.'],
  'src/system/sleep-detector.ts': [['timer'], 'Reports that the machine has slept.'],
  'src/system/sqlite/connection.ts': [
    ['state', 'deadline', 'loop', 'timer'],
    'SQLite reports that another process writes; the statement is repeated for up to its limit.',
  ],
  'src/system/sqlite/libsql.ts': [['state'], 'Facts about one statement.'],
};

/** Decisions that no chart takes yet. */
export const NOT_YET = {
  'src/app-server/shared.ts': [
    ['loop', 'timer'],
    'Tries the socket of a child that starts, until the chart appServer leaves the state.',
  ],
  'src/app-server/supervisor.ts': [
    ['loop', 'state'],
    'A client tries again when the chart appServer changed its mode.',
  ],
  'src/remote-control/store/enrollment-store.ts': [
    ['loop', 'state'],
    'A database that fails is opened again, and its records are written again.',
  ],
};
