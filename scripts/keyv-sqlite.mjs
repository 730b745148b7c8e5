// Bundles @keyv/sqlite, and gives it our driver in place of the package sqlite3, which has to be compiled on many machines.
import { fileURLToPath } from 'node:url';

const SQLITE3 = fileURLToPath(new URL('../src/system/sqlite/sqlite3.ts', import.meta.url));

/** A plugin of esbuild. */
export const bundledKeyvSqlite = {
  name: 'bundled-keyv-sqlite',
  setup({ onResolve }) {
    onResolve({ filter: /^@keyv\/sqlite$/ }, () => ({
      path: fileURLToPath(import.meta.resolve('@keyv/sqlite')),
    }));
    onResolve({ filter: /^sqlite3$/ }, () => ({ path: SQLITE3 }));
  },
};
