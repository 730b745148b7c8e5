/** Helpers for the document. Received text is only ever set as text, never as markup. */

export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element #${id}`);
  return found as T;
}

export function el(tag: string, className = '', text = ''): HTMLElement {
  const element = document.createElement(tag);
  if (className !== '') element.className = className;
  if (text !== '') element.textContent = text;
  return element;
}

/** Lets the keyboard reach an area that scrolls, and names it for screen readers. */
export function focusable(area: HTMLElement, name: string): void {
  area.tabIndex = 0;
  area.setAttribute('role', 'group');
  area.setAttribute('aria-label', name);
}

/** Calls `work` at most once per frame, and at most once per `every` ms. */
export function throttled(work: () => void, every = 0): () => void {
  let scheduled = false;
  let last = 0;
  return () => {
    if (scheduled) return;
    scheduled = true;
    const run = () => {
      scheduled = false;
      last = performance.now();
      work();
    };
    const delay = every - (performance.now() - last);
    // A page in the background gets no animation frames, but it must not fall behind.
    if (delay > 0 || document.hidden) setTimeout(run, Math.max(delay, 0));
    else requestAnimationFrame(run);
  };
}
