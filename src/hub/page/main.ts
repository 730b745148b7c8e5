/** The page of a hub: machines of an account, pairing, and a console for each paired machine. */
import { CodexView } from './codex-view.js';
import { button, byId, carefulButton, el, note } from './dom.js';
import { claimCode } from './hub-api.js';
import { JsonRpcLink } from './json-rpc-link.js';
import { MachinesView } from './machines-view.js';
import { QuestionsView } from './questions-view.js';
import { RpcView } from './rpc-view.js';
import { addPaired, type PairedMachine, pairedMachines, removePaired } from './storage.js';
import { textOf } from './values.js';

const machines = new MachinesView();
const rpc = new RpcView();
const codex = new CodexView();
const questions = new QuestionsView();
let link: JsonRpcLink | undefined;

function showPaired(): void {
  const rows = pairedMachines().map((machine) => {
    const row = el('li', 'row');
    row.append(
      el('b', '', machine.name),
      el('span', 'muted', machine.environmentId),
      el('span', 'spacer'),
      button('Open', () => open(machine), 'main'),
      carefulButton('Forget', 'Really forget?', () => {
        removePaired(machine.clientId);
        showPaired();
      }),
    );
    return row;
  });
  byId('paired').replaceChildren(...rows);
}

function select(tab: 'codex' | 'rpc'): void {
  for (const name of ['codex', 'rpc'] as const) {
    byId(name).hidden = name !== tab;
    byId(`tab-${name}`).setAttribute('aria-selected', String(name === tab));
  }
}

function open(machine: PairedMachine): void {
  byId('home').hidden = true;
  byId('console').hidden = false;
  byId('machine-name').textContent = machine.name;
  byId('tab-codex').hidden = true;
  select('rpc');
  note('');
  const opened: JsonRpcLink = new JsonRpcLink(machine.token, {
    onState: (text, kind) => {
      byId('link-state').textContent = text;
      byId('link-state').className = kind;
    },
    onReady: async () => {
      questions.clear();
      const first = byId('tab-codex').hidden;
      const hasThreads = await codex.ready();
      if (link !== opened) return;
      byId('tab-codex').hidden = !hasThreads;
      if (hasThreads && first) select('codex');
    },
    onTraffic: (direction, message) => rpc.show(direction, message),
    onNotification: (method, params) => {
      if (method === 'serverRequest/resolved') questions.resolved(params.requestId);
      codex.notified(method, params);
    },
    onRequest: (id, method, params) => questions.ask(id, method, params),
    onRevoked: () => {
      removePaired(machine.clientId);
      leave();
      note(`This device was revoked for ${machine.name}. Pair again with a new code.`);
    },
  });
  link = opened;
  rpc.use(opened);
  codex.use(opened);
  questions.use(opened);
  opened.open();
  byId('leave').focus();
}

function leave(): void {
  link?.close();
  link = undefined;
  questions.clear();
  byId('console').hidden = true;
  byId('home').hidden = false;
  showPaired();
  note('');
}

async function pair(): Promise<void> {
  const code = byId<HTMLInputElement>('code');
  const device = byId<HTMLInputElement>('device');
  try {
    const claimed = await claimCode(code.value.trim(), device.value.trim());
    const [clientId, environmentId, token] = [
      textOf(claimed.client_id),
      textOf(claimed.environment_id),
      textOf(claimed.controller_token),
    ];
    const machine = { clientId, environmentId, token, name: textOf(claimed.server_name) || environmentId };
    code.value = '';
    addPaired(machine);
    showPaired();
    open(machine);
  } catch (error) {
    note(error instanceof Error ? error.message : 'The code cannot be used.');
  }
}

byId<HTMLInputElement>('device').value = /Mobi/.test(navigator.userAgent) ? 'phone' : 'browser';
byId('pair').addEventListener('submit', (event) => {
  event.preventDefault();
  void pair();
});
byId('leave').addEventListener('click', leave);
for (const tab of ['codex', 'rpc'] as const) byId(`tab-${tab}`).addEventListener('click', () => select(tab));
document.addEventListener('keydown', ({ key, target }) => {
  const typing = target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
  if (key === 'Escape' && !typing && !byId('console').hidden) leave();
});
// The keyboard reaches what scrolls.
for (const area of ['log', 'transcript']) byId(area).tabIndex = 0;
showPaired();
void machines.refresh();
