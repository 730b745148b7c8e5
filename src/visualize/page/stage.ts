/** Zooms and pans the picture that is shown. */
export class Stage {
  readonly #view: HTMLElement;
  #content: HTMLElement | undefined;
  #scale = 1;
  #x = 0;
  #y = 0;
  #drag: { readonly x: number; readonly y: number } | undefined;
  /** The pointer moved while it was pressed, so its release is no click. */
  wasDragged = false;

  constructor(view: HTMLElement) {
    this.#view = view;
    view.addEventListener(
      'wheel',
      (event) => {
        event.preventDefault();
        const { left, top } = view.getBoundingClientRect();
        this.zoom(event.deltaY < 0 ? 1.1 : 1 / 1.1, event.clientX - left, event.clientY - top);
      },
      { passive: false },
    );
    view.addEventListener('pointerdown', ({ clientX, clientY }) => {
      this.#drag = { x: clientX, y: clientY };
      this.wasDragged = false;
    });
    view.addEventListener('pointermove', ({ clientX, clientY, buttons }) => {
      if (this.#drag === undefined || buttons === 0) return;
      const [dx, dy] = [clientX - this.#drag.x, clientY - this.#drag.y];
      if (!this.wasDragged && Math.abs(dx) + Math.abs(dy) < 5) return;
      this.wasDragged = true;
      this.#drag = { x: clientX, y: clientY };
      this.move(dx, dy);
    });
    window.addEventListener('pointerup', () => (this.#drag = undefined));
  }

  show(content: HTMLElement): void {
    if (this.#content === content) return;
    this.#content = content;
    this.fit();
  }

  /** The whole width of the picture, from its top. */
  fit(): void {
    const width = this.#content?.querySelector('svg')?.viewBox.baseVal.width ?? 1;
    this.#scale = Math.min(1, (this.#view.clientWidth - 16) / width);
    this.#x = Math.max((this.#view.clientWidth - width * this.#scale) / 2, 8);
    this.#y = 8;
    this.#apply();
  }

  /** Around a point of the view; its middle by default. */
  zoom(factor: number, x = this.#view.clientWidth / 2, y = this.#view.clientHeight / 2): void {
    const scale = Math.min(Math.max(this.#scale * factor, 0.1), 6);
    this.#x = x - ((x - this.#x) * scale) / this.#scale;
    this.#y = y - ((y - this.#y) * scale) / this.#scale;
    this.#scale = scale;
    this.#apply();
  }

  move(dx: number, dy: number): void {
    this.#x += dx;
    this.#y += dy;
    this.#apply();
  }

  /** Moves the element to the middle of the view when it is not visible. */
  reveal(element: Element): void {
    const view = this.#view.getBoundingClientRect();
    const box = element.getBoundingClientRect();
    const isVisible =
      box.left >= view.left && box.right <= view.right && box.top >= view.top && box.bottom <= view.bottom;
    if (isVisible) return;
    const dx = view.left + view.width / 2 - (box.left + box.width / 2);
    // The upper edge of a tall box is what names it.
    const dy =
      box.height > view.height
        ? view.top + 16 - box.top
        : view.top + view.height / 2 - (box.top + box.height / 2);
    this.move(dx, dy);
  }

  #apply(): void {
    if (this.#content === undefined) return;
    this.#content.style.transform = `translate(${this.#x}px,${this.#y}px) scale(${this.#scale})`;
  }
}
