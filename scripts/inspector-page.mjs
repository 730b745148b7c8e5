// Makes the pages of the inspector, one file each. The local one holds its script, its style, and the pictures of all
// charts; the pictures come from visualizations/ where they are of the charts as they are now; else they are laid out
// here. The one around the Stately inspector holds the definitions of the charts.
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const PAGE = join(ROOT, 'src/inspector/page');

/** Answers `{ name, text, inputs }` of each page: `inputs` are the files that its script is made of. */
export async function inspectorPages() {
  const charts = await sources();
  return Promise.all([
    page('inspector.html', PAGE, factsOfCharts(charts)),
    page('stately.html', join(PAGE, 'stately'), definitionsOf(charts)),
  ]);
}

async function page(name, folder, factsToCome) {
  const [template, style, script, facts] = await Promise.all([
    readFile(join(folder, 'index.html'), 'utf8'),
    bundled(join(PAGE, 'style.css')),
    bundled(join(folder, 'main.ts')),
    factsToCome,
  ]);
  const parts = {
    '/* STYLE */': style.text,
    '/* SCRIPT */': script.text,
    // No text of a chart may end the element that holds it.
    '"FACTS"': JSON.stringify(facts).replaceAll('<', '\\u003c'),
  };
  const text = template.replace(/\/\* (?:STYLE|SCRIPT) \*\/|"FACTS"/g, (part) => parts[part]);
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

/** Without the context that a chart begins with: nothing of any context goes to another site. */
function definitionsOf({ CHARTS, chartHash, toConfigJson }) {
  const definitionOf = (machine) => {
    const { context: _, ...definition } = JSON.parse(toConfigJson(machine, chartHash(machine)));
    return JSON.stringify(definition);
  };
  return Object.fromEntries(Object.entries(CHARTS).map(([name, machine]) => [name, definitionOf(machine)]));
}

async function factsOfCharts({ CHARTS, REASONS, chartHash, walk, edgeWords, picturesOf, svgOf }) {
  const charts = {};
  for (const [name, machine] of Object.entries(CHARTS)) {
    const chart = walk(machine);
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
      states: Object.fromEntries(chart.states.map(({ id, description }) => [id, description])),
      edges: Object.fromEntries(chart.edges.map((edge) => [edge.id, edgeWords(chart, edge)])),
    };
  }
  return {
    charts,
    reasons: Object.fromEntries(Object.entries(REASONS).map(([code, { means }]) => [code, means])),
  };
}

async function committed(name, hash) {
  const svg = await readFile(join(ROOT, 'visualizations', `${name}.svg`), 'utf8').catch(() => undefined);
  return svg?.includes(` data-hash="${hash}"`) ? svg : undefined;
}

/** The sources, built on the fly. */
async function sources() {
  const { outputFiles } = await build({
    stdin: {
      contents: `
        export { CHARTS } from './src/engine/charts.ts';
        export { REASONS } from './src/protocol/reasons.ts';
        export { toConfigJson } from './src/visualize/config-json.ts';
        export { chartHash } from './src/visualize/hash.ts';
        export { walk } from './src/visualize/walk.ts';
        export { edgeWords } from './src/visualize/words.ts';
        export { picturesOf } from './src/visualize/pictures.ts';
        export { svgOf } from './src/visualize/svg.ts';`,
      resolveDir: ROOT,
      loader: 'ts',
    },
    bundle: true,
    platform: 'node',
    format: 'esm',
    write: false,
    logLevel: 'warning',
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
}
