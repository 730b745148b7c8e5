/** What this browser keeps: the key until its tab is closed, and the machines that it is paired with. */
import { listOf, textOf } from './values.js';

const KEY = 'rc-engine-hub-key';
const PAIRED = 'rc-engine-hub-paired';

/** A machine that this browser may steer. */
export interface PairedMachine {
  readonly clientId: string;
  readonly environmentId: string;
  readonly name: string;
  readonly token: string;
}

export const storedKey = (): string => sessionStorage.getItem(KEY) ?? '';

export function storeKey(key: string): void {
  if (key === '') sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, key);
}

export function pairedMachines(): readonly PairedMachine[] {
  let value: unknown;
  try {
    value = JSON.parse(localStorage.getItem(PAIRED) ?? '[]');
  } catch {
    return [];
  }
  return listOf(value).flatMap((one) => {
    const [clientId, environmentId, token] = [one.clientId, one.environmentId, one.token].map(textOf);
    if (!clientId || !environmentId || !token) return [];
    return [{ clientId, environmentId, token, name: textOf(one.name) || environmentId }];
  });
}

export function addPaired(machine: PairedMachine): void {
  const others = pairedMachines().filter(({ environmentId }) => environmentId !== machine.environmentId);
  localStorage.setItem(PAIRED, JSON.stringify([...others, machine]));
}

export function removePaired(clientId: string): void {
  localStorage.setItem(PAIRED, JSON.stringify(pairedMachines().filter((one) => one.clientId !== clientId)));
}
