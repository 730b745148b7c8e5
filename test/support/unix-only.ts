/** Tests of what Windows does not have. They are skipped there, and their title says why. */

type Define = (title: string, run: () => void) => unknown;
interface Skippable extends Define {
  readonly skip: Define;
}

/** @param needs what Windows does not have, such as `signals` */
export const unixOnly =
  (define: Skippable, needs: string): Define =>
  (title, run) =>
    process.platform === 'win32'
      ? define.skip(`${title} (not on Windows: needs ${needs})`, run)
      : define(title, run);
