/** The few things that the page does with its document. Text is always text: nothing that was told becomes markup. */

export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found as T;
}

export function el(tag: string, className = '', text = ''): HTMLElement {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  if (text !== '') made.textContent = text;
  return made;
}

/** `12:03:04.567` */
export function clock(time: number): string {
  const date = new Date(time);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** `35 ms`, `1.25 s`, `3 min` */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(2)} s`;
  if (ms < 120_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 3_600_000)} h`;
}

/** Calls `work` at most once a frame, and no more often than `every` ms. */
export function throttled(work: () => void, every = 0): () => void {
  let waiting = false;
  let last = 0;
  return () => {
    if (waiting) return;
    waiting = true;
    const run = () => {
      waiting = false;
      last = performance.now();
      work();
    };
    const rest = every - (performance.now() - last);
    // A page in the background gets no frames; it shall not fall behind for that.
    if (rest > 0 || document.hidden) setTimeout(run, Math.max(rest, 0));
    else requestAnimationFrame(run);
  };
}
