/** Timeouts of the account, ms. */
export interface AccountTiming {
  /** How long the parent app may take to respond. Default 10,000. ACC-45 */
  readonly parentTimeout: number;
  /** How long a browser sign-in may take. Default 600,000. ACC-77 */
  readonly loginTimeout: number;
  /** How long to wait for another process that holds a lock of the account file. Default 45,000. ACC-59 */
  readonly lockTimeout: number;
  /** Limit of one request to the issuer. Default 30,000. ACC-92 */
  readonly issuerTimeout: number;
}

export const DEFAULT_ACCOUNT_TIMING: AccountTiming = {
  parentTimeout: 10_000,
  loginTimeout: 600_000,
  lockTimeout: 45_000,
  issuerTimeout: 30_000,
};
