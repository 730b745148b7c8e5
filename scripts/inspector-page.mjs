// Builds the pages of the inspector, one file each. The local page holds its script, its style and the pictures of all
// charts. A picture comes from visualizations/ when its chart hash is current, and is laid out here otherwise. The page
// with the Stately inspector holds the definitions of the charts.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { importSource, ROOT } from './import-source.mjs';
import { requirementTexts } from './requirement-texts.mjs';

const PAGE = join(ROOT, 'src/inspector/page');

/** Returns `{ name, text, inputs }` of each page: `inputs` are the source files of its script. */
export async function inspectorPages() {
  const charts = await importSource('src/internal.ts');
  return Promise.all([
    page('inspector.html', PAGE, pageData(charts)),
    page('stately.html', join(PAGE, 'stately'), definitionsOf(charts)),
  ]);
}

async function page(name, directory, dataPromise) {
  const [template, style, script, data] = await Promise.all([
    readFile(join(directory, 'index.html'), 'utf8'),
    bundled(join(PAGE, 'style.css')),
    bundled(join(directory, 'main.ts')),
    dataPromise,
  ]);
  const parts = {
    '/* STYLE */': style.text,
    '/* SCRIPT */': script.text,
    // Escaped, so that no text of a chart can close the script element that contains it.
    '"DATA"': JSON.stringify(data).replaceAll('<', '\\u003c'),
  };
  const text = template.replace(/\/\* (?:STYLE|SCRIPT) \*\/|"DATA"/g, (part) => parts[part]);
  return { name, text, inputs: script.inputs };
}

async function bundled(entry) {
  const { outputFiles, metafile } = await build({
    entryPoints: [entry],
    bundle: true,
    format: 'esm',
    target: ['chrome109', 'firefox115', 'safari16'],
    minify: true,
    write: false,
    metafile: true,
    legalComments: 'none',
    logLevel: 'warning',
  });
  return { text: outputFiles[0].text, inputs: Object.keys(metafile.inputs) };
}

/** Removes the initial context of a chart, because no part of a context may be sent to another site. */
function definitionsOf({ CHARTS, chartHash, toConfigJson }) {
  const definitionOf = (machine) => {
    const { context: _, ...definition } = JSON.parse(toConfigJson(machine, chartHash(machine)));
    return JSON.stringify(definition);
  };
  return Object.fromEntries(Object.entries(CHARTS).map(([name, machine]) => [name, definitionOf(machine)]));
}

async function pageData({ CHARTS, REASONS, chartHash, toChart, edgeText, picturesOf, svgOf }) {
  const charts = {};
  for (const [name, machine] of Object.entries(CHARTS)) {
    const chart = toChart(machine);
    const hash = chartHash(machine);
    const pictures = [];
    for (const picture of picturesOf(chart)) {
      const { name: title, description } = picture;
      pictures.push({
        name: title,
        description,
        svg: (await committed(title, hash)) ?? (await svgOf(picture, hash)).text,
      });
    }
    charts[name] = {
      hash,
      description: chart.description,
      pictures,
      states: Object.fromEntries(
        chart.states.map(({ id, kind, description, tags, entry, exit, invokes }) => [
          id,
          { kind, description, tags, entry, exit, invokes: invokes.map((actor) => actor.id) },
        ]),
      ),
      edges: Object.fromEntries(
        chart.edges.map((edge) => {
          const { id, source, targets, description, reasons } = edge;
          return [id, { text: edgeText(chart, edge), source, targets, description, reasons }];
        }),
      ),
    };
  }
  const descriptions = Object.values(charts).flatMap(({ description, states, edges }) => [
    description,
    ...Object.values(states).map((state) => state.description),
    ...Object.values(edges).map((edge) => edge.description),
  ]);
  return {
    charts,
    requirements: await requirementTexts(descriptions),
    reasons: Object.fromEntries(Object.entries(REASONS).map(([code, { means }]) => [code, means])),
  };
}

async function committed(name, hash) {
  const svg = await readFile(join(ROOT, 'visualizations', `${name}.svg`), 'utf8').catch(() => undefined);
  return svg?.includes(` data-hash="${hash}"`) ? svg : undefined;
}
