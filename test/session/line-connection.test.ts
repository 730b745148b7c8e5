import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Message } from '../../src/protocol/message.js';
import { LineConnection } from '../../src/session/line-connection.js';

function connection(maxLineBytes?: number) {
  const input = new PassThrough();
  const lines: string[] = [];
  const tooLong: unknown[] = [];
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const connection = new LineConnection(
    input,
    new PassThrough(),
    {
      onLine: (line) => lines.push(line),
      onTooLong: (bytes, envelope) => tooLong.push([bytes, envelope?.id]),
      onDrain: () => {},
      onEnd: () => end(),
    },
    ...(maxLineBytes === undefined ? [] : [{ maxLineBytes }]),
  );
  return { input, lines, tooLong, ended, connection };
}

describe('one message per line', () => {
  it('RC-70: the end of the stream ends the last line', async () => {
    const at = connection();
    at.input.write('{"id":1}\n{"id"');
    at.input.end(':2}');
    await at.ended;
    expect(at.lines).toEqual(['{"id":1}', '{"id":2}']);
  });

  it('RC-70: a stream that is destroyed ends its last line too, one that fails does not', async () => {
    for (const [error, lines] of [
      [undefined, ['half']],
      [new Error('reset'), []],
    ] as const) {
      const at = connection();
      at.input.write('half');
      await new Promise((resolve) => setImmediate(resolve));
      at.input.destroy(error);
      await at.ended;
      expect(at.lines).toEqual(lines);
    }
  });

  it('line ends of Windows and empty lines are no part of a message', async () => {
    const at = connection();
    at.input.end('\r\n{"id":1}\r\n\n\r\n{"id":2}\r\n');
    await at.ended;
    expect(at.lines).toEqual(['{"id":1}', '{"id":2}']);
  });

  it('characters that are split over chunks stay whole', async () => {
    const at = connection();
    for (const byte of Buffer.from('{"a":"ü€😀"}\n')) at.input.write(Buffer.of(byte));
    at.input.end();
    await at.ended;
    expect(at.lines).toEqual(['{"a":"ü€😀"}']);
  });

  it('RC-72: a line over the limit is reported with its id, and the next line is read', async () => {
    const at = connection(40);
    at.input.write(`{"method":"m","params":"${'x'.repeat(60)}`);
    at.input.write(`${'y'.repeat(60)}","id":77}\n{"id":2}\n`);
    at.input.end(`{"id":"last","method":"m","params":"${'z'.repeat(60)}"}`);
    await at.ended;
    expect(at.lines).toEqual(['{"id":2}']);
    expect(at.tooLong).toEqual([
      [154, '77'],
      [98, '"last"'],
    ]);
  });
});

describe('RC-71: a byte order mark', () => {
  it.each(['\ufeff{"id":1,"method":"m"}', '{"id":1,"method":"m"}'])('is no part of a message: %j', (text) => {
    for (const message of [Message.from(text), Message.from(() => text)]) {
      expect(message.shape).toEqual({ kind: 'request', id: 1, method: 'm' });
      expect(message.text).toBe('{"id":1,"method":"m"}');
    }
  });

  it('is dropped once', () => {
    expect(Message.from('\ufeff\ufeff{"id":1,"method":"m"}').shape.kind).toBe('invalid');
  });
});
