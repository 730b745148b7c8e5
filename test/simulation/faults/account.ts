/** Faults of the account: who is signed in, what the issuer does, and when tokens end. */
import type { IssuerMood } from '../parts/issuer.js';
import type { StepKind } from '../steps.js';

const MOODS: readonly IssuerMood[] = ['refuses', 'fails', 'hangs', 'lost', 'html'];

export const ACCOUNT_FAULTS: readonly StepKind[] = [
  {
    name: 'switch-account',
    weight: 4,
    plan: (random) => {
      const account = random.pick(['acct-1', 'acct-2']);
      const ms = random.chance(0.7) ? random.int(0, 6_000) : null;
      return {
        text: `person: ${ms === null ? '' : `signs out, and after ${ms} ms `}signs in as ${account}`,
        act: (site) => {
          if (ms === null) {
            site.signInSoon(account);
            return;
          }
          site.signOut();
          site.world.scheduler.after(ms, () => site.signInSoon(account));
        },
      };
    },
  },
  {
    name: 'sign-out',
    weight: 2,
    plan: () => ({ text: 'person: signs out', act: (site) => site.signOut() }),
  },
  {
    name: 'issuer',
    weight: 4,
    plan: (random) => {
      const mood = random.pick(MOODS);
      const ms = random.int(1_000, 40_000);
      return {
        text: `issuer: ${mood} for ${ms} ms`,
        act: (site) => {
          site.issuer.mood = mood;
          // A refused or lost refresh token is used up.
          if (mood === 'refuses' || mood === 'lost') site.signInBroken = true;
          site.world.scheduler.after(ms, () => {
            if (site.issuer.mood === mood) site.issuer.mood = 'good';
          });
        },
      };
    },
  },
  {
    name: 'short-sign-in',
    weight: 3,
    plan: (random) => {
      const seconds = random.int(5, 600);
      return {
        text: `issuer: access tokens live ${seconds} s`,
        act: (site) => {
          site.issuer.life = seconds;
          site.signInSoon(site.account);
        },
      };
    },
  },
  {
    name: 'revoke',
    weight: 1,
    plan: () => ({
      text: 'issuer: revokes the sign-in',
      act: (site) => {
        site.issuer.revoke(site.account);
        site.signInBroken = true;
      },
    }),
  },
];
