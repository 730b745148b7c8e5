import type { Chart } from './chart.js';
import { escapeMarkup, type Svg } from './svg.js';

export interface ChartPictures {
  readonly name: string;
  readonly hash: string;
  readonly chart: Chart;
  readonly svgs: readonly Svg[];
}

const STYLE = `
:root{color-scheme:light dark}
body{margin:0;font:15px/1.5 'Helvetica Neue',Helvetica,Arial,'Liberation Sans',sans-serif;background:#fff;color:#0f172a}
nav{position:sticky;top:0;display:flex;flex-wrap:wrap;gap:4px 18px;padding:10px 24px;background:#f6f8fbee;border-bottom:1px solid #d5dde8}
nav a{text-decoration:none}a{color:#1d4ed8}
main{padding:8px 24px 48px}
section{scroll-margin-top:52px}
figure{margin:16px 0 32px}
figure svg{max-width:100%;height:auto}
figcaption{margin-bottom:6px;color:#64748b}
code{font-size:13px}
@media (prefers-color-scheme:dark){body{background:#0d1117;color:#eef2f8}nav{background:#111722ee;border-color:#2c3647}a{color:#7fb0ff}figcaption{color:#8d99ad}}
`;

/** One page with all pictures. It loads no other file. */
export function toPage(charts: readonly ChartPictures[]): string {
  const links = charts.map(({ name }) => `<a href="#${name}">${name}</a>`).join('');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Statecharts of rc-engine</title>
<style>${STYLE}</style>
</head>
<body>
<nav>${links}</nav>
<main>
<p><code>event [guard] / action</code> on an arrow. <code>after</code> is the end of a pause, <code>done</code> and <code>failed</code> are what an invoked actor came to.
A star stands for every state of the box around it, and what is written into that box holds in all of them. A box with two small boxes in its corner has its own picture. Point at a state or an arrow to read what it is for.</p>
${charts.map(section).join('\n')}
</main>
</body>
</html>
`;
}

function section({ name, hash, chart, svgs }: ChartPictures): string {
  const figures = svgs.map(
    (svg) =>
      `<figure id="${svg.name === name ? `${name}.picture` : svg.name}"><figcaption>${svg.name} – ${escapeMarkup(svg.description)}</figcaption>\n${svg.text}</figure>`,
  );
  return `<section id="${name}">
<h2>${name}</h2>
<p>${escapeMarkup(chart.description)} <code>chart ${hash}</code></p>
${figures.join('\n')}
</section>`;
}
