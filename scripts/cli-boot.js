#!/usr/bin/env node
// Runs cli-script.cjs, the whole command line, from the code cache of the build. Another version of V8 rejects the cache
// and compiles the script.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';

const scriptUrl = new URL('./cli-script.cjs', import.meta.url);
const source = readFileSync(scriptUrl);

function codeCache() {
  try {
    const cache = readFileSync(new URL('./cli-script.cache', import.meta.url));
    // V8 compares only the length of the script.
    return cache.readUInt32LE(0) === crc32(source) ? cache.subarray(8) : undefined;
  } catch {
    return undefined;
  }
}

const script = new Script(source.latin1Slice(), {
  filename: fileURLToPath(scriptUrl),
  cachedData: codeCache(),
});
const require = createRequire(scriptUrl);
script.runInThisContext()(require, require, { url: scriptUrl.href });
