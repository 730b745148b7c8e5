import sqlite3 from 'sqlite3';

export interface Held {
  release(): Promise<void>;
}

/** Takes the write lock of a database, as another program would, until it is released. */
export async function holdDatabase(path: string): Promise<Held> {
  const database = await new Promise<sqlite3.Database>((resolve, reject) => {
    const opened: sqlite3.Database = new sqlite3.Database(path, sqlite3.OPEN_READWRITE, (error) =>
      error ? reject(error) : resolve(opened),
    );
  });
  await run(database, 'BEGIN IMMEDIATE');
  return {
    release: () =>
      new Promise((resolve, reject) => database.close((error) => (error ? reject(error) : resolve()))),
  };
}

/** Every value of the table that holds enrollments. */
export async function storedRecords(path: string): Promise<unknown[]> {
  const database = new sqlite3.Database(path, sqlite3.OPEN_READONLY);
  const rows = await new Promise<{ value: string }[]>((resolve, reject) => {
    database.all('SELECT value FROM keyv', (error, found: { value: string }[]) =>
      error ? reject(error) : resolve(found),
    );
  });
  await new Promise<void>((resolve) => database.close(() => resolve()));
  return rows.map(({ value }) => JSON.parse(value).value as unknown);
}

function run(database: sqlite3.Database, sql: string): Promise<void> {
  return new Promise((resolve, reject) => {
    database.exec(sql, (error) => (error ? reject(error) : resolve()));
  });
}
