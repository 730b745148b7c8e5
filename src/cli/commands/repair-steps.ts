export interface RepairStep {
  readonly name: string;
  readonly does: string;
  readonly costs: string;
}

/** From the mildest on. RC-24 */
export const REPAIR_STEPS = [
  {
    name: 'retry',
    does: 'tries again now instead of after the pause; an open link is checked',
    costs: 'changes nothing; a Retry-After of the backend is kept',
  },
  {
    name: 'refresh',
    does: 'asks the backend for a new server token for the same identity, and tries again',
    costs: 'changes nothing that is stored',
  },
  {
    name: 'reenroll',
    does: 'forgets the stored identity and asks the backend for a new one',
    costs: 'remote clients are closed; controllers know the old environment and may have to pair again',
  },
  {
    name: 'installation-id',
    does: 'gives this home a new installation id, and forgets every stored identity',
    costs: 'only while no engine runs on it; to the backend it is another machine from then on',
  },
] as const satisfies readonly RepairStep[];
export type RepairStepName = (typeof REPAIR_STEPS)[number]['name'];
