// The documentation as web pages: those of the menu, and every document of the repository that they lead to.
import { existsSync, statSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import MarkdownIt from 'markdown-it';
import { ROOT } from './import-source.mjs';

/** The menu: document, and its name there. */
const MENU = [
  ['README.md', 'What rc-engine is'],
  'Guides',
  ['docs/five-minutes.md', 'Start in five minutes'],
  ['docs/connect.md', 'Codex from elsewhere'],
  ['docs/headless.md', 'A server without a screen'],
  ['docs/team.md', 'A team'],
  ['docs/hub.md', 'The hub of a team'],
  ['docs/agents.md', 'Which agents work'],
  ['docs/account.md', 'Sign in'],
  ['docs/listener.md', 'Clients on this machine'],
  ['docs/operate.md', 'Operate an engine'],
  ['docs/inspector.md', 'Watch the charts'],
  ['docs/service.md', 'As a service'],
  ['SECURITY.md', 'Security'],
  'Reference',
  ['docs/cli.md', 'Command line'],
  ['docs/cli.md#settings-of-start', 'Configuration'],
  ['docs/errors.md', 'Errors and reasons'],
  ['docs/json-rpc.md', 'JSON-RPC'],
  ['docs/authority.md', 'Who may call what'],
  ['docs/metrics.md', 'Metrics'],
  ['docs/auth-file.md', 'Account file'],
  ['docs/api/rc-engine.api.md', 'API: rc-engine'],
  ['docs/api/rc-engine-machines.api.md', 'API: rc-engine/machines'],
  ['docs/api/rc-engine-testing.api.md', 'API: rc-engine/testing'],
  ['docs/api/rc-engine-visualize.api.md', 'API: rc-engine/visualize'],
  ['docs/platforms.md', 'Windows and macOS'],
  'How it works',
  ['visualizations/README.md', 'Charts'],
  ['docs/stories/README.md', 'Stories'],
  ['docs/architecture.md', 'Architecture'],
  ['docs/spec/README.md', 'Specification'],
  ['docs/charts-for-your-project.md', 'Charts for your project'],
  ['docs/testing.md', 'Test paths from charts'],
  ['CHANGELOG.md', 'Changelog'],
];

/** What a page may refer to. A link to a source file becomes text, because the sources are not part of the site. */
const FILES = /\.(?:svg|png|json|html)$/;

/** @returns pages by their path in the site, the files beside them, and what leads nowhere */
export async function sitePages() {
  const files = new Set();
  const broken = [];
  const rendered = new Map();
  const waiting = MENU.filter((one) => typeof one !== 'string').map(([source]) => source.split('#')[0]);
  for (const source of waiting) {
    if (rendered.has(source)) continue;
    const page = await render(source, files);
    rendered.set(source, page);
    waiting.push(...page.leadsTo);
  }
  for (const [source, { links }] of rendered) {
    for (const { target, anchor } of links) {
      const found = rendered.get(target);
      if (found !== undefined && anchor !== undefined && !found.anchors.has(anchor))
        broken.push(`${source} leads to ${target}#${anchor}, which has no such section.`);
    }
  }
  for (const name of await readdir(join(ROOT, 'docs'), { recursive: true })) {
    const source = `docs/${name.replaceAll('\\', '/')}`;
    if (source.endsWith('.md') && !rendered.has(source))
      broken.push(`${source} is on no page of the site: name it in MENU, or in a document that is there.`);
  }
  const pages = new Map();
  for (const [source, page] of rendered) pages.set(pathOf(source), frame(source, page));
  return { pages, files, broken };
}

const pathOf = (source) => (source === 'README.md' ? 'index.html' : source.replace(/\.md$/, '.html'));

async function render(source, files) {
  const anchors = new Set();
  const leadsTo = new Set();
  const links = [];
  const markdown = new MarkdownIt({ html: true });
  const text = (await readFile(join(ROOT, source), 'utf8')).replaceAll('\r\n', '\n');
  const tokens = markdown.parse(text, {});
  let title = source;
  for (const [index, token] of tokens.entries()) {
    if (token.type === 'heading_open') {
      const words = tokens[index + 1].children.map(({ content }) => content).join('');
      if (token.tag === 'h1') title = words;
      token.attrSet('id', anchorOf(words, anchors));
    }
    if (token.type === 'inline') token.children = relinked(token.children, resolve);
  }
  const { fence } = markdown.renderer.rules;
  markdown.renderer.rules.fence = (...args) => {
    const html = fence(...args);
    return args[0][args[1]].info === 'mermaid'
      ? `<details><summary>The chart as Mermaid text</summary>${html}</details>`
      : html;
  };
  const html = markdown.renderer.render(tokens, markdown.options, {});
  return { title, html, anchors, leadsTo, links };

  /** The address in the site; undefined: it is not part of the site. */
  function resolve(link) {
    if (/^[a-z]+:/.test(link)) return link;
    const [path, anchor] = link.split('#');
    const target = path === '' ? source : posix.join(posix.dirname(source), path);
    const hash = anchor === undefined ? '' : `#${anchor}`;
    if (target.endsWith('.md') && existsSync(join(ROOT, target))) {
      leadsTo.add(target);
      links.push({ target, anchor });
      return `${relative(source, pathOf(target))}${hash}`;
    }
    if (!FILES.test(target) || !statSync(join(ROOT, target), { throwIfNoEntry: false })?.isFile())
      return undefined;
    files.add(target);
    return `${path}${hash}`;
  }
}

/** The same tokens with the addresses of the site, and without links that lead out of it. */
function relinked(tokens, resolve) {
  const open = [];
  return tokens.filter((token) => {
    if (token.type === 'image') {
      token.attrSet('src', resolve(token.attrGet('src')) ?? '');
      return true;
    }
    if (token.type === 'link_open') {
      const address = resolve(token.attrGet('href'));
      if (address !== undefined) token.attrSet('href', address);
      open.push(address !== undefined);
      return address !== undefined;
    }
    return token.type !== 'link_close' || open.pop();
  });
}

/** As GitHub makes it; a second heading with the same words gets a number. */
function anchorOf(words, anchors) {
  const base = words
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-');
  let anchor = base;
  for (let n = 1; anchors.has(anchor); n += 1) anchor = `${base}-${n}`;
  anchors.add(anchor);
  return anchor;
}

const relative = (source, target) => posix.relative(posix.dirname(pathOf(source)), target) || target;

const escaped = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

function frame(source, { title, html }) {
  const entries = MENU.map((entry) => {
    if (typeof entry === 'string') return `<h2>${entry}</h2>`;
    const [target, name] = entry;
    const [path, anchor] = target.split('#');
    const address = relative(source, pathOf(path)) + (anchor === undefined ? '' : `#${anchor}`);
    const current = target === source ? ' aria-current="page"' : '';
    return `<a href="${address}"${current}>${escaped(name)}</a>`;
  });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'self'; img-src 'self'">
<title>${escaped(title)} – rc-engine</title>
<link rel="stylesheet" href="${relative(source, 'site.css')}">
</head>
<body>
<nav aria-label="Pages">
${entries.join('\n')}
</nav>
<main>
${html}</main>
</body>
</html>
`;
}
