import { initialTransition } from 'xstate';
import { websocketAuthMachine } from '../../machines/websocket-auth.js';
import type { UpgradeFacts, Verdict } from '../protocol/authority.js';

/** A verdict and how often it was reached. */
export interface CountedVerdict extends Verdict {
  count: number;
}

/**
 * Asks the chart about upgrades. Its answer depends on a few small facts only, so each combination is decided
 * once (some 50 µs) and then looked up; a few dozen entries at most.
 */
export class UpgradeDecisions {
  readonly #known = new Map<string, CountedVerdict>();
  readonly #verdicts = new Map<string, CountedVerdict>();

  decide(facts: UpgradeFacts): Verdict {
    const key = keyOf(facts);
    let verdict = this.#known.get(key);
    if (verdict === undefined) {
      verdict = this.#counted(askChart(facts));
      this.#known.set(key, verdict);
    }
    verdict.count += 1;
    return verdict;
  }

  /** Each (mode, outcome, reason) that has occurred, with its count. */
  get counts(): readonly CountedVerdict[] {
    return [...this.#verdicts.values()].filter(({ count }) => count > 0);
  }

  /** Different facts may lead to the same verdict: it is counted as one. */
  #counted(verdict: Verdict): CountedVerdict {
    const label = `${verdict.mode}/${verdict.outcome}/${verdict.reason}`;
    let counted = this.#verdicts.get(label);
    if (counted === undefined) {
      counted = { ...verdict, count: 0 };
      this.#verdicts.set(label, counted);
    }
    return counted;
  }
}

export function askChart(facts: UpgradeFacts): Verdict {
  const [snapshot] = initialTransition(websocketAuthMachine, facts);
  if (snapshot.output === undefined) throw new Error('websocketAuth did not come to its end');
  return snapshot.output;
}

function keyOf({ mode, enforced, hasOrigin, request, admission, credential: c }: UpgradeFacts): string {
  const bits =
    (enforced ? 1 : 0) |
    (hasOrigin ? 2 : 0) |
    (c.matches ? 4 : 0) |
    (c.expired ? 8 : 0) |
    (c.notYetValid ? 16 : 0) |
    (c.issuerMatches ? 32 : 0) |
    (c.audienceMatches ? 64 : 0);
  return `${mode} ${request} ${admission} ${c.presented} ${bits}`;
}
