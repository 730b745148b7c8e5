/** The keyboard: what each key does, as the help shows it. */
import { byId, el } from './dom.js';

export interface Key {
  /** Values of `KeyboardEvent.key`. */
  readonly keys: readonly string[];
  readonly shown: string;
  readonly does: string;
  readonly run: () => void;
}

/** What other parts of the page do with keys; shown only. */
const ELSEWHERE: readonly (readonly [string, string])[] = [
  ['Tab', 'next part: actors, chart, each state, timeline'],
  ['↑ ↓', 'in the actors: previous and next row; Enter selects it'],
  ['← ↑ → ↓', 'in the chart: move the picture'],
  ['+ − 0', 'in the chart: zoom, and fit to the window'],
  ['Enter', 'on a state: its description'],
];

export function listenForKeys(keys: readonly Key[]): void {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { target, key } = event;
    if (document.querySelector('dialog[open]') !== null) return;
    const typing =
      target instanceof HTMLInputElement && target.type !== 'range' && target.type !== 'checkbox';
    if (typing && key !== 'Escape') return;
    // A button that has the focus is pressed with these.
    if (
      (key === ' ' || key === 'Enter') &&
      target instanceof HTMLElement &&
      target.matches('button, [role=button], label, input')
    )
      return;
    const found = keys.find((one) => one.keys.includes(key));
    if (found === undefined) return;
    event.preventDefault();
    found.run();
  });
  const rows = [...keys.map(({ shown, does }) => [shown, does] as const), ...ELSEWHERE].map(
    ([shown, does]) => {
      const row = el('tr');
      const name = el('td');
      name.append(el('kbd', '', shown));
      row.append(name, el('td', '', does));
      return row;
    },
  );
  byId('help-keys').replaceChildren(...rows);
  byId('help-close').addEventListener('click', () => byId<HTMLDialogElement>('help').close());
}
