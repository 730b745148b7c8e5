import { initialTransition } from 'xstate';
import { websocketAuthMachine } from '../../../machines/websocket-auth.js';
import type { CredentialFacts, UpgradeFacts, Verdict } from '../../protocol/authority.js';

/** More than any mode needs, because authorities share their few `CredentialFacts` objects. */
const MAX_BY_CREDENTIAL = 64;

/** A verdict, and how often it was given. */
export interface CountedVerdict extends Verdict {
  /** Since the start of the engine. */
  count: number;
}

/**
 * Decides about the upgrades of one listener, whose mode never changes. The verdict depends on a few facts only, so the
 * chart decides each combination once (about 50 µs) and the verdict is then looked up. There are a few dozen at most.
 */
export class UpgradeDecisions {
  readonly #byFacts = new Map<string, CountedVerdict>();
  /** The same for valid upgrades while there is room: the common case, found without building a key. */
  readonly #byCredential = new Map<CredentialFacts, CountedVerdict>();
  readonly #byLabel = new Map<string, CountedVerdict>();

  decide(facts: UpgradeFacts): Verdict {
    const verdict = this.#find(facts);
    verdict.count += 1;
    return verdict;
  }

  /** The verdict about a request that opens no connection, such as one for the metrics: only a rejection is counted. */
  decideRead(facts: UpgradeFacts): Verdict {
    const verdict = this.#find(facts);
    if (verdict.outcome === 'rejected') verdict.count += 1;
    return verdict;
  }

  #find(facts: UpgradeFacts): CountedVerdict {
    const common = !facts.hasOrigin && facts.request === 'upgrade' && facts.admission === 'open';
    const found = common ? this.#byCredential.get(facts.credential) : undefined;
    if (found !== undefined) return found;
    const key = keyOf(facts);
    let verdict = this.#byFacts.get(key);
    if (verdict === undefined) {
      verdict = this.#counted(decideWithChart(facts));
      this.#byFacts.set(key, verdict);
    }
    if (common && this.#byCredential.size < MAX_BY_CREDENTIAL)
      this.#byCredential.set(facts.credential, verdict);
    return verdict;
  }

  /** Each combination of mode, outcome and reason that has occurred, with its count. */
  get counts(): readonly CountedVerdict[] {
    return [...this.#byLabel.values()].filter(({ count }) => count > 0);
  }

  /** Different facts may lead to the same verdict, which has one count. */
  #counted(verdict: Verdict): CountedVerdict {
    const label = `${verdict.mode}/${verdict.outcome}/${verdict.reason}`;
    let counted = this.#byLabel.get(label);
    if (counted === undefined) {
      counted = { ...verdict, count: 0 };
      this.#byLabel.set(label, counted);
    }
    return counted;
  }
}

export function decideWithChart(facts: UpgradeFacts): Verdict {
  const [snapshot] = initialTransition(websocketAuthMachine, facts);
  if (snapshot.output === undefined) throw new Error('websocketAuth did not reach a final state');
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
