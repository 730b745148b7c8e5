/** The page of one story. */
import { REASONS, type Reason } from '../protocol/reasons.js';
import { laneName, type Row, rowsOf, seconds } from './rows.js';
import type { Act, Played, Story } from './story.js';

const GENERATED = '<!-- Made by `npm run charts`. Change src/stories and machines, not this file. -->';

const SPECIFICATIONS = { RC: 'remote-control', WSA: 'websocket-auth', ACC: 'account' } as const;

export interface StoryPictures {
  /** Names of the charts that have a picture of their path. */
  readonly charts: readonly string[];
}

export function storyPage(played: Played, { charts }: StoryPictures): string {
  const { story } = played;
  const rows = rowsOf(played);
  return `${GENERATED}

# ${story.title}

${story.text.join('\n\n')}

Requirements: ${story.requirements.map(requirementLink).join(', ')}.

## Who says what to whom

${story.begins === undefined ? '' : `At the beginning ${story.begins.words}.\n\n`}Time runs down. Boxes with round corners are charts; a rounded note is the state that the chart is in now, with its reason.

![${story.title}: the messages](${story.name}.sequence.svg)

## The way through the charts

${charts.map((chart) => `The states of \`${chart}\` that were visited:\n\n![${story.title}: the states of ${chart}](${story.name}.${chart}.svg)`).join('\n\n')}

All of their states: ${charts.map((chart) => `[${chart}](../../visualizations/README.md#${chart.toLowerCase()})`).join(', ')}.

## Step by step

| time | what happens | state | reason |
| --- | --- | --- | --- |
${stepRows(rows).join('\n')}

## The reasons in words

${reasonList(played)}

## Watch it

\`rc-engine inspect docs/stories/${story.name}.timeline.json\` in a clone of this repository shows the charts step by step, in
the same order. Nothing of this page was written by hand but the text at the top and what happens outside the engine: ${outsideList(played)}.
The charts were run with that on a simulated clock, without chance: each random pause has its middle length.
`;
}

export function storyIndex(stories: readonly Story[]): string {
  return `${GENERATED}

# Stories

Each page shows one thing that can happen to an engine: in words, as messages between the parties, and as the way through
the [charts](../../visualizations/README.md). They are made by running the charts, so they cannot say anything that the
engine does not decide; a check fails when a page and the charts differ. \`rc-engine inspect docs/stories/NAME.timeline.json\`
replays one of them in the inspector.

| story | what happens |
| --- | --- |
${stories.map(({ name, title, summary }) => `| [${title}](${name}.md) | ${summary} |`).join('\n')}
`;
}

function requirementLink(id: string): string {
  const [kind = ''] = id.split('-');
  const file = SPECIFICATIONS[kind as keyof typeof SPECIFICATIONS];
  return `[${id}](../spec/${file}.md)`;
}

/** One line for each message, with the state and the reason that it led to. */
function stepRows(rows: readonly Row[]): string[] {
  const lines: string[] = [];
  let messages: string[] = [];
  const end = (state: string, reason: string, at: number): void => {
    if (messages.length > 0 || state !== '') {
      lines.push(`| ${seconds(at)} | ${messages.map(cell).join('<br>')} | ${state} | ${reason} |`);
    }
    messages = [];
  };
  for (const row of rows) {
    if (row.kind === 'arrow') messages.push(`${laneName(row.from)} → ${laneName(row.to)}: ${row.words}`);
    else if (row.kind === 'pause') messages.push(row.words);
    else if (row.states.length > 0 || row.reason !== null) {
      const chart = laneName(row.lane);
      const states = row.states.map((state) => `\`${row.isInner ? '' : `${chart}: `}${state}\``).join('<br>');
      end(states, row.reason === null ? '' : `\`${row.reason}\``, row.at);
    }
  }
  end('', '', rows.at(-1)?.at ?? 0);
  return lines;
}

const cell = (words: string): string => words.replaceAll('|', '\\|').replaceAll('<', '&lt;');

function reasonList({ stage, from }: Played): string {
  const reasons = new Set(
    stage.moments
      .slice(from)
      .flatMap((one) => (one.kind === 'moved' && one.reason !== null ? [one.reason as Reason] : [])),
  );
  const lines = [...reasons].map(
    (reason) =>
      `- [\`${reason}\`](../errors.md#${reason.toLowerCase()}): ${REASONS[reason].means} ${REASONS[reason].todo}`,
  );
  return lines.join('\n');
}

function outsideList({ acts }: Played): string {
  const words = acts.flatMap(({ act }) => outsideWords(act));
  return words.map((one) => `“${one}”`).join(', ');
}

function outsideWords(act: Act): string[] {
  if (act.kind === 'pass' || act.kind === 'verdict') return [];
  return act.words === undefined ? [] : [act.words];
}
