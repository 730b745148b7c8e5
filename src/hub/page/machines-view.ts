/** The machines of an account, and the devices of each. */
import { button, byId, carefulButton, el, note } from './dom.js';
import { changeRole, HubRequestError, readDevices, readMachines, revokeDevice } from './hub-api.js';
import { storedKey, storeKey } from './storage.js';
import { agoOf, type Json, listOf, textOf } from './values.js';

/** Between two readings of the list while the page is visible, ms. */
const REFRESH = 10_000;

export class MachinesView {
  #account = '';
  /** Environments whose devices are shown. */
  readonly #open = new Set<string>();
  /** Grows with each reading, so that a late response of an earlier one is not shown. */
  #reading = 0;

  constructor() {
    byId('sign-in').addEventListener('submit', (event) => {
      event.preventDefault();
      const input = byId<HTMLInputElement>('key');
      storeKey(input.value.trim());
      input.value = '';
      void this.refresh();
    });
    byId('sign-out').addEventListener('click', () => this.#signOut(''));
    byId('refresh').addEventListener('click', () => void this.refresh());
    setInterval(() => {
      if (!document.hidden && this.#account !== '') void this.refresh();
    }, REFRESH);
  }

  async refresh(): Promise<void> {
    const key = storedKey();
    if (key === '') return;
    this.#reading += 1;
    const reading = this.#reading;
    try {
      const { account, machines } = await readMachines(key);
      if (reading !== this.#reading || storedKey() !== key) return;
      this.#account = textOf(account);
      this.#show(true);
      // A list that is replaced would take the focus of the keyboard.
      if (!byId('machines').contains(document.activeElement)) await this.#list(listOf(machines));
      note('');
    } catch (error) {
      if (error instanceof HubRequestError && error.status === 401)
        this.#signOut('The hub refuses this key.');
      else note(error instanceof Error ? error.message : 'The machines cannot be read.');
    }
  }

  #show(signedIn: boolean): void {
    byId('sign-in').hidden = signedIn;
    byId('account-view').hidden = !signedIn;
    byId('sign-out').hidden = !signedIn;
    byId('account').textContent = signedIn ? `account ${this.#account}` : '';
  }

  #signOut(why: string): void {
    storeKey('');
    this.#account = '';
    this.#open.clear();
    byId('machines').replaceChildren();
    this.#show(false);
    note(why);
    byId('key').focus();
  }

  async #list(machines: readonly Json[]): Promise<void> {
    const rows = machines.map((machine) => this.#row(machine));
    if (rows.length === 0) {
      const how = 'No machine yet. On a machine: rc-engine login --hub, then rc-engine start --base-url.';
      rows.push(el('li', 'muted', how));
    }
    byId('machines').replaceChildren(...rows);
    await Promise.all(
      rows.map(async (row) => {
        const environmentId = row.dataset.environment ?? '';
        if (this.#open.has(environmentId)) await this.#showDevices(row, environmentId);
      }),
    );
  }

  #row(machine: Json): HTMLElement {
    const environmentId = textOf(machine.environment_id);
    const row = el('li', 'machine');
    row.dataset.environment = environmentId;
    const { connected } = machine;
    const [kind, state] =
      connected === true
        ? ['good', 'connected']
        : [
            connected === false ? 'bad' : 'muted',
            `${connected === false ? 'not connected' : 'unknown'}: ${textOf(machine.reason)}`,
          ];
    const line = el('div', 'row');
    line.append(
      el('b', 'name', textOf(machine.name)),
      el('span', `state ${kind}`, state),
      el('span', 'spacer'),
    );
    line.append(
      button('Devices', () => {
        if (this.#open.delete(environmentId)) row.querySelector('.devices')?.remove();
        else {
          this.#open.add(environmentId);
          void this.#showDevices(row, environmentId);
        }
      }),
    );
    const seen = `${textOf(machine.os)} ${textOf(machine.arch)}, ${environmentId}, connected last ${agoOf(machine.last_seen_at)}`;
    row.append(line, el('p', 'muted', seen));
    return row;
  }

  async #showDevices(row: HTMLElement, environmentId: string): Promise<void> {
    const list = el('ul', 'list devices');
    try {
      const { items } = await readDevices(storedKey(), environmentId);
      const devices = listOf(items).map((device) => this.#device(row, environmentId, device));
      list.append(...(devices.length === 0 ? [el('li', 'muted', 'No device is paired.')] : devices));
    } catch (error) {
      list.append(el('li', 'bad', error instanceof Error ? error.message : 'The devices cannot be read.'));
    }
    row.querySelector('.devices')?.remove();
    if (this.#open.has(environmentId)) row.append(list);
  }

  #device(row: HTMLElement, environmentId: string, device: Json): HTMLElement {
    const item = el('li', 'row device');
    const clientId = textOf(device.client_id);
    const seen = device.last_seen_at === null ? 'never connected' : `seen ${agoOf(device.last_seen_at)}`;
    item.append(el('span', '', textOf(device.display_name) || clientId), el('span', 'muted', seen));
    const readOnly = device.role === 'read-only';
    item.append(el('span', 'muted role', readOnly ? 'read-only' : ''));
    const act = async (work: () => Promise<unknown>): Promise<void> => {
      note('');
      await work().catch((error: unknown) => note(error instanceof Error ? error.message : 'It failed.'));
      await this.#showDevices(row, environmentId);
    };
    const role = readOnly ? 'controller' : 'read-only';
    item.append(
      el('span', 'spacer'),
      button(
        readOnly ? 'Allow everything' : 'Make read-only',
        () => void act(() => changeRole(storedKey(), environmentId, clientId, role)),
        'change-role',
      ),
      carefulButton(
        'Revoke',
        'Really revoke?',
        () => void act(() => revokeDevice(storedKey(), this.#account, environmentId, clientId)),
      ),
    );
    return item;
  }
}
