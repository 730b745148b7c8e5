/** Searches all files and output of a run for secrets, in every encoding. */
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';

export interface Place {
  readonly name: string;
  readonly bytes: Buffer;
}

export interface Leak {
  /** Where it was found. Never the secret itself, because the report may be published. */
  readonly place: string;
  readonly form: string;
  /** Index in the list of secrets. */
  readonly secret: number;
}

export const place = (name: string, content: string | Buffer): Place => ({
  name,
  bytes: Buffer.from(content),
});

/**
 * The forms that a secret may have. In base64 there are three, by its position in the encoded bytes; the characters that
 * depend on its neighbours are left out.
 */
export function formsOf(secret: string): readonly { readonly form: string; readonly bytes: Buffer }[] {
  const raw = Buffer.from(secret);
  const inBase64 = (['base64', 'base64url'] as const).flatMap((encoding) =>
    [0, 1, 2].map((shift) => {
      const text = Buffer.concat([Buffer.alloc(shift), raw])
        .toString(encoding)
        .replace(/=+$/, '');
      const from = shift === 0 ? 0 : shift + 1;
      const whole = text.length - ((raw.length + shift) % 3 === 0 ? 0 : 1);
      return { form: `${encoding}, shifted by ${shift}`, bytes: Buffer.from(text.slice(from, whole)) };
    }),
  );
  const inText: readonly (readonly [string, string])[] = [
    ['raw', secret],
    ['hex', raw.toString('hex')],
    ['upper-case hex', raw.toString('hex').toUpperCase()],
    ['URL-encoded', encodeURIComponent(secret)],
    ['form-encoded', new URLSearchParams({ s: secret }).toString().slice(2)],
    ['JSON', JSON.stringify(secret).slice(1, -1)],
  ];
  const plain = inText.map(([form, text]) => ({ form, bytes: Buffer.from(text) }));
  const wide = { form: 'UTF-16', bytes: Buffer.from(secret, 'utf16le') };
  return [...plain, wide, ...inBase64];
}

export function findLeaks(secrets: readonly string[], places: readonly Place[]): Leak[] {
  const leaks: Leak[] = [];
  secrets.forEach((secret, index) => {
    const forms = formsOf(secret);
    for (const { name, bytes } of places) {
      const found = forms.find((form) => bytes.includes(form.bytes));
      if (found !== undefined) leaks.push({ place: name, form: found.form, secret: index });
    }
  });
  return leaks;
}

/** Every file below a directory, with its name: SQLite has more files beside the database. */
export async function filesOf(dir: string, exempt: readonly string[] = []): Promise<Place[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const places: Place[] = [];
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    places.push(place(`the name of ${relative(dir, path)}`, entry.name));
    if (!entry.isFile() || exempt.includes(path)) continue;
    try {
      places.push(place(`file ${relative(dir, path)}`, await readFile(path)));
    } catch {
      // It no longer exists: a journal that was just merged.
    }
  }
  return places;
}

/** What other users can see of a running process. Only on Linux. */
export async function processOf(pid: number | undefined): Promise<Place[]> {
  if (process.platform !== 'linux' || pid === undefined) return [];
  const seen: Place[] = [];
  for (const what of ['cmdline', 'environ']) {
    try {
      seen.push(place(`${what} of the process`, await readFile(`/proc/${pid}/${what}`)));
    } catch {
      // It has ended.
    }
  }
  return seen;
}
