/** Compares two saved timelines: the first difference in words, and the steps around it side by side. */
import { type ComparedActor, type ComparedStep, compareTimelines } from '../compare.js';
import type { SavedTimeline } from '../timeline.js';
import { parseTimeline } from '../timeline-schema.js';
import { duration } from '../words.js';
import { byId, el } from './dom.js';
import type { Model } from './model.js';

/** Steps shown before and after the first difference. */
const CONTEXT = 12;

export class CompareView {
  readonly #model: Model;
  readonly #dialog = byId<HTMLDialogElement>('compare');
  readonly #result = byId('compare-result');
  /** Undefined on the left: the timeline of this page. */
  readonly #files: { left: SavedTimeline | undefined; right: SavedTimeline | undefined } = {
    left: undefined,
    right: undefined,
  };
  #shown: string | undefined;

  constructor(model: Model) {
    this.#model = model;
    for (const side of ['left', 'right'] as const) {
      const input = byId<HTMLInputElement>(`compare-${side}`);
      input.addEventListener('change', () => void this.#load(side, input.files?.[0]));
    }
    byId('compare-close').addEventListener('click', () => this.#dialog.close());
  }

  open(): void {
    this.#dialog.showModal();
    this.#update();
  }

  async #load(side: 'left' | 'right', file: File | undefined): Promise<void> {
    if (file === undefined) return;
    const parsed = parseTimeline(await file.text());
    if ('problem' in parsed) {
      this.#files[side] = undefined;
      this.#result.replaceChildren(el('p', 'failure', `${file.name} ${parsed.problem}`));
      return;
    }
    this.#files[side] = parsed.timeline;
    this.#shown = undefined;
    this.#update();
  }

  #update(): void {
    const { right } = this.#files;
    const left = this.#files.left ?? this.#model.save();
    if (right === undefined) {
      const text =
        this.#files.left === undefined
          ? 'Choose a saved timeline as B to compare it with this one, or choose both.'
          : 'Choose a saved timeline as B.';
      this.#result.replaceChildren(el('p', 'muted', text));
      return;
    }
    const { same, words, actors } = compareTimelines(left, right);
    const shown = actors.find(({ name }) => name === this.#shown) ?? actors[0];
    const [first = '', ...more] = words;
    const lines = [
      el('p', same ? 'verdict same' : 'verdict', first),
      ...more.map((text) => el('p', 'muted', text)),
    ];
    this.#result.replaceChildren(
      ...lines,
      this.#picker(actors, shown),
      ...(shown === undefined ? [] : [table(shown)]),
    );
    this.#result.querySelector('.differs')?.scrollIntoView({ block: 'center' });
  }

  #picker(actors: readonly ComparedActor[], shown: ComparedActor | undefined): HTMLElement {
    const row = el('p', 'compare-actors');
    for (const actor of actors) {
      const { name, differsAt } = actor;
      const text = differsAt === null ? `${name}: same` : `${name}: differs at step ${differsAt + 1}`;
      const button = el('button', actor === shown ? 'tab selected' : 'tab', text);
      button.setAttribute('aria-pressed', String(actor === shown));
      button.addEventListener('click', () => {
        this.#shown = name;
        this.#update();
      });
      row.append(button);
    }
    return row;
  }
}

function table({ left, right, differsAt }: ComparedActor): HTMLElement {
  const at = differsAt ?? 0;
  const from = Math.max(0, at - CONTEXT);
  const to = Math.min(Math.max(left.length, right.length), at + CONTEXT + (differsAt === null ? 200 : 1));
  const body = el('tbody');
  for (let index = from; index < to; index += 1) {
    const isDifferent = left[index]?.key !== right[index]?.key;
    const row = el('tr', index === differsAt ? 'differs' : isDifferent ? 'other' : '');
    row.append(el('td', 'time', String(index + 1)), stepCell(left[index]), stepCell(right[index]));
    if (index === differsAt) row.setAttribute('aria-label', 'first difference');
    body.append(row);
  }
  const head = el('thead');
  const names = el('tr');
  names.append(el('th', '', 'step'), el('th', '', 'A'), el('th', '', 'B'));
  head.append(names);
  const whole = el('table', 'compare-table');
  whole.append(head, body);
  return whole;
}

function stepCell(step: ComparedStep | undefined): HTMLElement {
  const cell = el('td', step === undefined ? 'muted' : '', step?.words ?? 'no step');
  if (step !== undefined) cell.append(el('span', 'muted', ` ${duration(step.at)}`));
  return cell;
}
