import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';

const decompress = promisify(brotliDecompress);

/**
 * The text of a page of the inspector. The package holds its pages compressed, in files that end with `.br`, because
 * they are a tenth of its size otherwise.
 *
 * @throws when the file cannot be read or decompressed
 */
export async function readPageFile(file: URL): Promise<string> {
  const bytes = await readFile(file);
  return (file.pathname.endsWith('.br') ? await decompress(bytes) : bytes).toString('utf8');
}
