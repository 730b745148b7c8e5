import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // As scripts/keyv-sqlite.mjs does in the build.
  resolve: { alias: { sqlite3: fileURLToPath(new URL('src/system/sqlite/sqlite3.ts', import.meta.url)) } },
  test: {
    server: { deps: { inline: ['@keyv/sqlite'] } },
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
