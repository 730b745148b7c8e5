import { defineConfig, mergeConfig } from 'vitest/config';
import base from '../../vitest.config.js';

/** The tests as they are, against a chart with one mistake in it. */
export default mergeConfig(base, defineConfig({ test: { setupFiles: ['test/model/mutant-setup.ts'] } }));
