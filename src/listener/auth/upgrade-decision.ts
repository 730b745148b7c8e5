import { initialTransition } from 'xstate';
import { websocketAuthMachine } from '../../../machines/websocket-auth.js';
import type { CredentialFacts, UpgradeFacts, Verdict } from '../../protocol/authority.js';

/** More findings than any mode has; whoever makes new ones each time goes the longer way. */
const MAX_SHORT = 64;

/** A verdict and how often it was reached. */
export interface CountedVerdict extends Verdict {
  count: number;
}

/**
 * Asks the chart about upgrades of one listener, whose mode never changes. Its answer depends on a few small facts only, so each combination is decided
 * once (some 50 µs) and then looked up; a few dozen entries at most.
 */
export class UpgradeDecisions {
  readonly #known = new Map<string, CountedVerdict>();
  /** The same for a valid upgrade that there is room for; comparators share their few findings. */
  readonly #byCredential = new Map<CredentialFacts, CountedVerdict>();
  readonly #verdicts = new Map<string, CountedVerdict>();

  decide(facts: UpgradeFacts): Verdict {
    const verdict = this.#find(facts);
    verdict.count += 1;
    return verdict;
  }

  #find(facts: UpgradeFacts): CountedVerdict {
    const plain = !facts.hasOrigin && facts.request === 'upgrade' && facts.admission === 'open';
    const short = plain ? this.#byCredential.get(facts.credential) : undefined;
    if (short !== undefined) return short;
    const key = keyOf(facts);
    let verdict = this.#known.get(key);
    if (verdict === undefined) {
      verdict = this.#counted(decideWithChart(facts));
      this.#known.set(key, verdict);
    }
    if (plain && this.#byCredential.size < MAX_SHORT) this.#byCredential.set(facts.credential, verdict);
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

export function decideWithChart(facts: UpgradeFacts): Verdict {
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
