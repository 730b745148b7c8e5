/** The requests of a run: every one of a kind has the same length, and its answer can be told from an error. */

const ALPHABET = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

function filling(length) {
  return ALPHABET.repeat(Math.ceil(length / ALPHABET.length)).slice(0, length);
}

const fail = (what, message) => {
  throw new Error(`${what}: ${JSON.stringify(message).slice(0, 300)}`);
};

function expectNoSuchMethod(message) {
  // The reference client says "invalid request" of a method it does not know.
  const code = message.error?.code;
  if (code !== -32601 && code !== -32600) fail('not the answer to an unknown method', message);
}

/**
 * @param kind `unknown`: a method that nobody knows. `status`: one that both programs answer. `echo`: what it
 *   carries comes back (rc-engine only). `bigId`: an unknown method with an id as big as the message, which comes
 *   back in the error: an echo that any program answers.
 * @param size bytes of the message, for the last two
 * @returns `text(id)` makes one; `check(answer)` throws when a parsed answer is not what it should be
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
