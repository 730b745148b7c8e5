// A runner for tests that are written for vitest, in this thread: hundreds of mutants cannot each have a new vitest.

/** Collects the tests that a file registers through `api`. */
export function collector({ expect, vi }) {
  const tests = [];
  let suite = { name: '', before: [], after: [] };

  const describe = (name, ...rest) => {
    const outer = suite;
    suite = { name: `${outer.name}${name} > `, before: [...outer.before], after: [...outer.after] };
    rest.find((part) => typeof part === 'function')?.();
    suite = outer;
  };
  const it = (name, ...rest) => {
    const run = rest.find((part) => typeof part === 'function');
    // A name that is left unused shows that something was dropped, but not that a test looks at what it does.
    if (run !== undefined && !/uses every name/.test(name))
      tests.push({ name: `${suite.name}${name}`, run, suite });
  };
  const skip = () => {};
  const each =
    (define) =>
    (cases) =>
    (name, ...rest) => {
      const run = rest.find((part) => typeof part === 'function');
      for (const [index, one] of cases.entries()) {
        define(`${name} [${index}]`, () => run(...(Array.isArray(one) ? one : [one])));
      }
    };
  const withMembers = (define) =>
    Object.assign(define, {
      each: each(define),
      skip,
      only: define,
      skipIf: (condition) => (condition ? withMembers(skip) : define),
      runIf: (condition) => (condition ? define : withMembers(skip)),
    });
  const api = {
    expect,
    vi,
    describe: withMembers(describe),
    it: withMembers(it),
    test: withMembers(it),
    beforeEach: (hook) => suite.before.push(hook),
    afterEach: (hook) => suite.after.push(hook),
    beforeAll: (hook) => suite.before.push(once(hook)),
    afterAll: () => {},
  };
  return { api, tests };
}

function once(hook) {
  let done;
  return () => {
    done ??= Promise.resolve(hook());
    return done;
  };
}

/** Runs the tests until the first failure. `times` has the duration of each test, ms; quick ones run first. */
export async function firstFailure(tests, times = new Map()) {
  const weight = ({ name }) =>
    /take every transition/.test(name) ? Number.POSITIVE_INFINITY : (times.get(name) ?? 0);
  for (const test of [...tests].sort((a, b) => weight(a) - weight(b))) {
    const from = performance.now();
    try {
      for (const hook of test.suite.before) await hook();
      await test.run();
    } catch (error) {
      return { test: test.name, error };
    } finally {
      for (const hook of test.suite.after) await hook();
      times.set(test.name, performance.now() - from);
    }
  }
  return undefined;
}
