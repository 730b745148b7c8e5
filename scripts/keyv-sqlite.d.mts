import type { Plugin } from 'esbuild';

export declare const bundledKeyvSqlite: Plugin;
