/** The requests of a run: all of a kind have the same length, and a response is distinguishable from an error. */

const ALPHABET = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

function filling(length) {
  return ALPHABET.repeat(Math.ceil(length / ALPHABET.length)).slice(0, length);
}

const fail = (what, message) => {
  throw new Error(`${what}: ${JSON.stringify(message).slice(0, 300)}`);
};

function expectNoSuchMethod(message) {
  // Codex CLI responds with "invalid request" to an unknown method.
  const code = message.error?.code;
  if (code !== -32601 && code !== -32600) fail('not the answer to an unknown method', message);
}

/**
 * @param kind `unknown`: an unknown method. `status`: a method that both programs have. `echo`: returns its payload
 *   (rc-engine only). `bigId`: an unknown method with an id as large as the message, which comes back in the error: an
 *   echo that works with any program.
 * @param size bytes of the message, for `echo` and `bigId`
 * @returns `text(id)` makes one; `check(answer)` throws when a parsed response is not the expected one
 */
export function requestsOf(kind, size) {
  switch (kind) {
    case 'unknown':
      return { text: (id) => `{"id":${id},"method":"bench/unknown","params":{}}`, check: expectNoSuchMethod };
    case 'status':
      return {
        text: (id) => `{"id":${id},"method":"remoteControl/status/read"}`,
        check: (message) => {
          if (message.result?.status !== 'connected') fail('not a status', message);
        },
      };
    case 'echo': {
      const around = '{"id":1000000000,"method":"engine/echo","params":{"payload":""}}'.length;
      const payload = filling(size - around);
      const rest = `,"method":"engine/echo","params":{"payload":"${payload}"}}`;
      return {
        text: (id) => `{"id":${id}${rest}`,
        check: (message) => {
          if (message.result?.payload !== payload) fail('not the echo', message);
        },
      };
    }
    case 'bigId': {
      const around = '{"id":"1000000000","method":"bench/unknown"}'.length;
      const filler = filling(size - around);
      return {
        text: (id) => `{"id":"${id}${filler}","method":"bench/unknown"}`,
        check: (message) => {
          expectNoSuchMethod(message);
          if (!String(message.id).endsWith(filler)) fail('not the same id', message);
        },
      };
    }
    default:
      throw new Error(`no requests of kind ${kind}`);
  }
}
