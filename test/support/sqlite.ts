import { SqliteConnection } from '../../src/system/sqlite/connection.js';

export interface Held {
  release(): Promise<void>;
}

/** Takes the write lock of a database, as another program would, until it is released. */
export async function holdDatabase(path: string): Promise<Held> {
  const database = SqliteConnection.open(path);
  await database.exec('BEGIN IMMEDIATE');
  return { release: () => database.close() };
}

/** Every value of the table that holds enrollments. */
export async function storedRecords(path: string): Promise<unknown[]> {
  const database = SqliteConnection.open(path);
  const rows = await database.all('SELECT value FROM keyv');
  await database.close();
  return rows.map(({ value }) => JSON.parse(String(value)).value as unknown);
}
