import { SharedRun } from '../../src/session/shared-chart.js';

/** A run of a shared chart that records its actions. */
export class TestRun extends SharedRun<string> {
  readonly effects: string[] = [];

  send(type: string): void {
    this.take(type);
  }

  protected override perform(action: string, params: unknown): void {
    this.effects.push(params === undefined ? action : `${action} ${JSON.stringify(params)}`);
  }

  get state(): string {
    return this.at.name;
  }

  get done(): boolean {
    return this.at.done;
  }
}
