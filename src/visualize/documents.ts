/** The documents that are generated from the sources, so that they always match them. */
import type { AnyStateMachine } from 'xstate';
import { ERRORS } from '../protocol/errors.js';
import { REASONS, type ReasonText } from '../protocol/reasons.js';
import { chartHash, toChart } from './chart.js';
import { toMermaid } from './mermaid.js';
import { MAX_PART_ARROWS, mermaidParts } from './mermaid-parts.js';
import { picturesOf } from './pictures.js';

/** Every generated document, by its path in the project. */
export function documents(charts: Readonly<Record<string, AnyStateMachine>>): ReadonlyMap<string, string> {
  return new Map([
    ['visualizations/README.md', chartsDocument(charts)],
    ['docs/errors.md', errorsDocument()],
  ]);
}

const GENERATED = '<!-- Made by `npm run charts`. Change the sources, not this file. -->';

function chartsDocument(charts: Readonly<Record<string, AnyStateMachine>>): string {
  return `${GENERATED}

# The statecharts

Every decision of the engine is taken in one of these charts; the sources are in [machines](../machines). The hash
names what a chart does, with the bodies of its guards, actions and delays, and \`rc-engine --version --json\` shows the
same ones: a report that carries them says which behaviour it saw.

How to read a picture: \`event [guard] · reason / action\` on an arrow; \`after\` is the end of a pause, \`done\` and \`failed\`
are the outcomes of an actor that the state invokes; an arrow from a star holds in every state of the box around it.
Thick arrows are the main way through the chart. What leads to a state that many lead to is written into their boxes instead
of drawn; what is written into a box with an inside holds in all of it. A reason that depends on the outcome is left to the
tooltips. A number before an event is the place of its guard among those of the same event. What follows the name of a guard
after an equals sign is the HTTP status that it stands for: a 404 is clear when the backend itself says that it does not know
the identity. A diamond only decides. A box with two small boxes in its corner has a picture of its own. All of them on one page: [index.html](index.html).

How to read Mermaid: what leaves "in any state" is what leaves a star in the pictures. A thick frame has a diagram of its own, a
dotted one lies outside this one. A line in a box says where the chart goes from there (\`→ name\`), or where it comes from
(\`from name\`), without an arrow: that keeps each diagram below ${MAX_PART_ARROWS + 1} arrows.

${Object.entries(charts).map(chartSection).join('\n')}`;
}

function chartSection([name, machine]: [string, AnyStateMachine]): string {
  const { description, states } = toChart(machine);
  const rows = states.flatMap((state) =>
    state.parent === null ? [] : [`| \`${state.path.join('.')}\` | ${escapeCell(state.description)} |`],
  );
  return `## ${name}

${description}

Hash \`${chartHash(machine)}\`, ${states.length - 1} states. [Scenarios](${name}.scenarios.md) that take every transition.

![${name}](${name}.svg)

<details>
<summary>The same as Mermaid</summary>

\`\`\`mermaid
${mermaidParts(machine)[0]?.text ?? toMermaid(machine)}\`\`\`
${mermaidLinks(name, machine)}
</details>
${detailLinks(name, machine)}

| State | What it means |
| --- | --- |
${rows.join('\n')}
`;
}

/** Links to the pictures of the states that are folded in the overview. */
function detailLinks(name: string, machine: AnyStateMachine): string {
  const links = picturesOf(toChart(machine)).flatMap((picture) =>
    picture.name === name ? [] : [`[${picture.name.slice(name.length + 1)}](${picture.name}.svg)`],
  );
  return links.length === 0 ? '' : `\nIn detail: ${links.join(', ')}.\n`;
}

/** Links to the diagrams of the parts, if there are any. */
function mermaidLinks(name: string, machine: AnyStateMachine): string {
  const [, ...parts] = mermaidParts(machine);
  if (parts.length === 0) return '';
  const links = parts.map((part) => `[${part.name.slice(name.length + 1)}](${part.name}.mmd)`);
  return `\nThis is the outline. One diagram for each state with states in it: ${links.join(', ')}. Everything in one: [${name}](${name}.mmd).\n`;
}

function errorsDocument(): string {
  return `${GENERATED}

# Errors and reasons

Each code is stable. \`rc-engine explain CODE\` prints the same text.

## Errors of the command line and the library

${Object.entries(ERRORS).map(codeSection).join('\n')}
## Reasons of a connection

They appear in \`rc-engine status\`, in the log and in the audit. Most of them need no action.

${Object.entries(REASONS).map(codeSection).join('\n')}`;
}

/** The heading creates the anchor that an error names: the code in lower case. */
function codeSection([code, { means, todo }]: [string, ReasonText]): string {
  return `### ${code}

${means}

What to do: ${todo}
`;
}

const escapeCell = (text: string): string => text.replaceAll('|', '\\|');
