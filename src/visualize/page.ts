import { createHash } from 'node:crypto';
import type { Chart } from './chart.js';
import { type PageExtras, pageChart, requirementsOf } from './page-data.js';
import { PAGE_SCRIPT } from './page-script.js';
import type { PageData } from './page-types.js';
import { escapeMarkup, type Svg } from './svg.js';

export interface ChartPictures {
  readonly name: string;
  readonly hash: string;
  readonly chart: Chart;
  readonly svgs: readonly Svg[];
}

const STYLE = `
:root{color-scheme:light dark;--page:#fff;--text:#0f172a;--bar:#f6f8fb;--rule:#d5dde8;--link:#1d4ed8;--faint:#546378;--lit:#f59e0b}
@media (prefers-color-scheme:dark){:root{--page:#0d1117;--text:#eef2f8;--bar:#111722;--rule:#2c3647;--link:#7fb0ff;--faint:#9aa7ba}}
*{box-sizing:border-box}
body{margin:0;font:15px/1.5 'Helvetica Neue',Helvetica,Arial,'Liberation Sans',sans-serif;background:var(--page);color:var(--text)}
header{position:relative;display:flex;flex-wrap:wrap;gap:6px;padding:8px 12px;background:var(--bar);border-bottom:1px solid var(--rule)}
header select,header input{flex:1 1 150px;min-width:0;max-width:420px}
button,select,input{font:inherit;color:inherit;background:var(--page);border:1px solid var(--rule);border-radius:5px;padding:3px 9px}
button{cursor:pointer}button:disabled{opacity:.5;cursor:default}
button.link,#results button{display:block;width:100%;text-align:left;border:0;color:var(--link);overflow-wrap:anywhere;background:none}
:focus-visible{outline:2px solid var(--link);outline-offset:1px}
#results{position:absolute;z-index:2;top:100%;left:0;right:0;max-height:60vh;overflow:auto;margin:0;padding:0;list-style:none;background:var(--bar);border-bottom:1px solid var(--rule)}
#results:empty{display:none}
figure{margin:16px 12px 32px}
figure svg{max-width:100%;height:auto}
figcaption,.place{color:var(--faint)}
.help{padding:0 12px}
.controls,#details,#hint{display:none}
.scripted .controls{display:contents}
.scripted{height:100vh;height:100dvh;overflow:hidden}
.scripted main{display:grid;grid-template-columns:minmax(0,1fr) 340px}
.scripted{display:grid;grid-template-rows:auto minmax(0,1fr)}
.scripted .help{display:none}
.scripted #stage{position:relative;overflow:hidden;touch-action:none;cursor:grab;user-select:none}
.scripted figure{position:absolute;margin:0;transform-origin:0 0}
.scripted figure svg{max-width:none;display:block}
.scripted figcaption{display:none}
.scripted #details{display:block;overflow:auto;padding:8px 14px;border-left:1px solid var(--rule);overflow-wrap:anywhere}
.scripted #hint{display:block;position:absolute;z-index:1;left:8px;bottom:8px;max-width:min(520px,90%);max-height:45%;overflow:auto;padding:2px 10px;background:var(--bar);border:1px solid var(--rule);border-radius:6px;pointer-events:none;font-size:13px}
.scripted #hint:empty{display:none}
#details h2{margin:4px 0;font-size:17px}#details h3{margin:12px 0 2px;font-size:14px}#details ul{margin:0;padding:0;list-style:none}#details select{max-width:100%}
[aria-current]{font-weight:600;background:color-mix(in srgb,var(--lit) 25%,transparent)}
.requirement{font-size:13px;margin:4px 0}
.scripted [data-state]{cursor:pointer}
.lit>rect:first-of-type,.lit>path.box{stroke:var(--lit)!important;stroke-width:4px}
.lit>path.arrow{stroke:var(--lit)!important;stroke-width:4.5px}
@media (max-width:720px){.scripted main{grid-template-columns:minmax(0,1fr);grid-template-rows:minmax(0,1fr) 38%}.scripted #details{border-left:0;border-top:1px solid var(--rule)}}
`;

const HELP =
  'Pointer: drag to move, wheel to zoom, click a state or an arrow. Keys: arrows move, + and - zoom, 0 fits, / searches, n and p step through a scenario, Escape clears.';

/** One page with all pictures. It loads no other file. Without scripts it shows the pictures below each other. */
export function toPage(charts: readonly ChartPictures[], extras?: PageExtras): string {
  const data: PageData = {
    charts: charts.map(({ name, chart }) => pageChart(name, chart, extras?.scenarios.get(name))),
    requirements: requirementsOf(extras?.specification ?? []),
  };
  const digest = createHash('sha256').update(PAGE_SCRIPT).digest('base64');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${digest}'">
<title>Statecharts</title>
<style>${STYLE}</style>
</head>
<body>
<header title="${escapeMarkup(HELP)}"><span class="controls"><select id="picture" aria-label="Picture"></select>
<input id="search" type="search" aria-label="Search" placeholder="State, event, reason, requirement">
<span><button type="button" id="out" aria-label="Smaller">−</button> <button type="button" id="in" aria-label="Larger">+</button> <button type="button" id="fit">Fit</button></span>
<ul id="results"></ul></span></header>
<p class="help"><code>event [guard] / action</code> on an arrow. <code>after</code> is the end of a pause, <code>done</code> and <code>failed</code> are what an invoked actor came to.
A star stands for every state of the box around it, and what is written into that box holds in all of them. A box with two small boxes in its corner has its own picture.</p>
<main><div id="stage">
${charts.flatMap(figuresOf).join('\n')}
<div id="hint" role="status"></div></div>
<aside id="details" aria-label="Details"></aside></main>
<script type="application/json" id="data">${JSON.stringify(data).replaceAll('<', '\\u003c')}</script>
<script type="module">${PAGE_SCRIPT}</script>
</body>
</html>
`;
}

function figuresOf({ name, hash, svgs }: ChartPictures): string[] {
  return svgs.map(
    (svg) =>
      `<figure data-picture="${escapeMarkup(svg.name)}" data-chart="${escapeMarkup(name)}"><figcaption>${escapeMarkup(svg.name)} – ${escapeMarkup(svg.description)} <code>chart ${hash}</code></figcaption>\n${svg.text}</figure>`,
  );
}
