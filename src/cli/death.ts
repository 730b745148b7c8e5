/** What a command wants done before a fault ends the process; at most this long, ms. */
const LIMIT = 2_000;

let lastWish: (() => Promise<void>) | undefined;

export function onFatalExit(wish: (() => Promise<void>) | undefined): void {
  lastWish = wish;
}

/** Carries the wish out once; never rejects, never takes longer than the limit. */
export function runFatalExitHooks(): Promise<void> {
  const wish = lastWish;
  lastWish = undefined;
  if (wish === undefined) return Promise.resolve();
  return new Promise((resolve) => {
    setTimeout(resolve, LIMIT);
    wish().then(resolve, () => resolve());
  });
}
