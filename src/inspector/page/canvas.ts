/** The area with a picture: zoom with the wheel, with keys and with buttons, and pan by dragging. */
import { byId, focusable } from './dom.js';

const MIN_ZOOM = 0.15;
const MAX_ZOOM = 4;
const STEP = 1.25;
/** Movement from which on a press is a drag and no click, px. */
const DRAG_DISTANCE = 4;
/** One arrow key, px. */
const PAN = 80;

export class Canvas {
  readonly #stage = byId('stage');
  readonly #percent = byId('zoom-fit');
  #svg: SVGSVGElement | undefined;
  #zoom = 1;
  #dragged = false;

  constructor() {
    focusable(this.#stage, 'Chart: arrow keys move it, plus and minus zoom');
    byId('zoom-in').addEventListener('click', () => this.zoomBy(STEP));
    byId('zoom-out').addEventListener('click', () => this.zoomBy(1 / STEP));
    this.#percent.addEventListener('click', () => this.fit());
    this.#stage.addEventListener(
      'wheel',
      (event) => {
        event.preventDefault();
        // Lines of a mouse wheel, pixels of a touchpad; a pinch comes as small steps with Ctrl.
        const delta = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * 20 : event.deltaY;
        const factor = Math.exp(-Math.max(-240, Math.min(240, delta)) * (event.ctrlKey ? 0.01 : 0.002));
        this.#setZoom(this.#zoom * factor, event);
      },
      { passive: false },
    );
    this.#stage.addEventListener('pointerdown', (event) => this.#press(event));
    this.#stage.addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const handled = this.#key(event.key);
      if (!handled) return;
      event.preventDefault();
      event.stopPropagation();
    });
    // The click that ends a drag selects nothing.
    this.#stage.addEventListener(
      'click',
      (event) => {
        if (!this.#dragged) return;
        this.#dragged = false;
        event.stopPropagation();
      },
      { capture: true },
    );
  }

  show(svg: SVGSVGElement | undefined): void {
    this.#svg = svg;
    if (svg !== undefined) this.fit();
  }

  fit(): void {
    const svg = this.#svg;
    if (svg === undefined) return;
    const { width, height } = svg.viewBox.baseVal;
    const { clientWidth, clientHeight } = this.#stage;
    // Below 85 % a wide picture is hard to read, so it scrolls instead.
    const whole = Math.min((clientWidth - 24) / width, (clientHeight - 24) / height);
    this.#setZoom(Math.min(1, Math.max(whole, Math.min(0.85, (clientWidth - 24) / width), 0.5)));
  }

  zoomBy(factor: number): void {
    const { left, top, width, height } = this.#stage.getBoundingClientRect();
    this.#setZoom(this.#zoom * factor, { clientX: left + width / 2, clientY: top + height / 2 });
  }

  /** Scrolls to a part with some margin, so that its arrow is visible, too. */
  reveal(part: Element | null): void {
    const box = part?.getBoundingClientRect();
    if (box === undefined) return;
    const stage = this.#stage.getBoundingClientRect();
    const margin = { x: stage.width / 5, y: stage.height / 4 };
    const hidden =
      box.top < stage.top + margin.y ||
      box.bottom > stage.bottom - margin.y ||
      box.left < stage.left + margin.x ||
      box.right > stage.right - margin.x;
    if (!hidden) return;
    this.#stage.scrollBy(
      (box.left + box.right - stage.left - stage.right) / 2,
      (box.top + box.bottom - stage.top - stage.bottom) / 2,
    );
  }

  /** @param at stays where it is; absent: the corner */
  #setZoom(zoom: number, at?: { readonly clientX: number; readonly clientY: number }): void {
    const svg = this.#svg;
    if (svg === undefined) return;
    const before = svg.getBoundingClientRect();
    this.#zoom = Math.min(MAX_ZOOM, Math.max(MIN_ZOOM, zoom));
    svg.setAttribute('width', String(Math.round(svg.viewBox.baseVal.width * this.#zoom)));
    svg.setAttribute('height', String(Math.round(svg.viewBox.baseVal.height * this.#zoom)));
    this.#percent.textContent = `${Math.round(this.#zoom * 100)} %`;
    if (at === undefined || before.width === 0) return;
    const after = svg.getBoundingClientRect();
    const across = (at.clientX - before.left) / before.width;
    const down = (at.clientY - before.top) / before.height;
    this.#stage.scrollBy(
      after.left + across * after.width - at.clientX,
      after.top + down * after.height - at.clientY,
    );
  }

  #press(event: PointerEvent): void {
    // A finger scrolls.
    if (event.button !== 0 || event.pointerType === 'touch') return;
    const from = { x: event.clientX, y: event.clientY };
    const { scrollLeft, scrollTop } = this.#stage;
    this.#dragged = false;
    const move = (moved: PointerEvent) => {
      const [x, y] = [moved.clientX - from.x, moved.clientY - from.y];
      if (!this.#dragged && Math.hypot(x, y) < DRAG_DISTANCE) return;
      this.#dragged = true;
      this.#stage.classList.add('dragging');
      this.#stage.scrollTo(scrollLeft - x, scrollTop - y);
    };
    const end = () => {
      removeEventListener('pointermove', move);
      this.#stage.classList.remove('dragging');
    };
    addEventListener('pointermove', move);
    addEventListener('pointerup', end, { once: true });
    addEventListener('pointercancel', end, { once: true });
  }

  #key(key: string): boolean {
    const pan: Readonly<Record<string, readonly [number, number]>> = {
      ArrowLeft: [-PAN, 0],
      ArrowRight: [PAN, 0],
      ArrowUp: [0, -PAN],
      ArrowDown: [0, PAN],
    };
    const by = pan[key];
    if (by !== undefined) this.#stage.scrollBy(...by);
    else if (key === '+' || key === '=') this.zoomBy(STEP);
    else if (key === '-') this.zoomBy(1 / STEP);
    else if (key === '0') this.fit();
    else return false;
    return true;
  }
}
