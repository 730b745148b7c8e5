/** The file of `rc-engine report`: one JSON text, compressed, so that gzip and an editor are enough to read it. */
import { gunzipSync, gzipSync } from 'node:zlib';
import * as v from 'valibot';
import { HistoryError, type HistoryFile, parseHistory } from './read-history.js';

export const REPORT_FORMAT = 'rc-engine-report';
export const REPORT_VERSION = 1;

/** What was searched for in the whole report, and how often it was found. */
export interface RedactionProof {
  readonly searched: readonly { readonly what: string; readonly values: number; readonly found: number }[];
  /** In all. A report with more than 0 is not written. */
  readonly found: number;
}

export interface ReportHistory {
  readonly name: string;
  readonly lines: readonly string[];
}

const ReportSchema = v.looseObject({
  format: v.literal(REPORT_FORMAT),
  version: v.number(),
  history: v.array(v.object({ name: v.string(), lines: v.array(v.string()) })),
});

/** Largest report, uncompressed, bytes. */
const MAX_BYTES = 1024 * 1024 * 1024;

export const packReport = (text: string): Buffer => gzipSync(text);

export const isPacked = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/** The history in a report. @throws HistoryError when it is none of this version */
export function historyOfReport(bytes: Uint8Array): readonly HistoryFile[] {
  let value: unknown;
  try {
    value = JSON.parse(gunzipSync(bytes, { maxOutputLength: MAX_BYTES }).toString('utf8'));
  } catch {
    throw new HistoryError('is no complete report of rc-engine');
  }
  const report = v.safeParse(ReportSchema, value);
  if (!report.success) throw new HistoryError('is no report of rc-engine');
  if (report.output.version !== REPORT_VERSION) {
    throw new HistoryError(
      `is a report of version ${report.output.version}; this rc-engine reads version ${REPORT_VERSION}`,
    );
  }
  return report.output.history.map(({ name, lines }) => parseHistory(name, `${lines.join('\n')}\n`));
}
