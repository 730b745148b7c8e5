import { CHARTS } from '../../src/engine/charts.js';
import { type Mutant, mutateInPlace } from './mutants.js';

const { chart, mutant } = JSON.parse(process.env.RC_MUTANT ?? '{}') as { chart: string; mutant: Mutant };
mutateInPlace(CHARTS[chart as keyof typeof CHARTS], mutant);
