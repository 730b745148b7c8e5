import { defineConfig, mergeConfig } from 'vitest/config';
import base from '../../vitest.config.js';

/** Runs the tests against a chart with one mistake. */
export default mergeConfig(base, defineConfig({ test: { setupFiles: ['test/model/mutant-setup.ts'] } }));
