import { isRecord } from '../../protocol/jsonrpc.js';
import { type AccountFlags, connectAccount } from '../account-client.js';
import { EXIT, printJson } from '../output/output.js';

/** Longer than the revocation of the refresh token may take. */
const LIMIT = 40_000;

/** `rc-engine logout`: ends what is signed in; with `--all` also what lies beneath the tokens of a parent app. */
export async function logout(flags: AccountFlags): Promise<number> {
  const client = await connectAccount(flags);
  try {
    const told = new Promise<unknown>((resolve) => {
      client.onNotification((method, params) => {
        if (method === 'account/updated') resolve(params);
      });
    });
    await client.request('account/logout', flags.all === true ? { all: true } : {}, LIMIT);
    const left = await told;
    const mode = isRecord(left) ? left.authMode : null;
    if (flags.json === true) printJson({ type: 'loggedOut', authMode: mode });
    else if (mode === null) process.stdout.write('Signed out.\n');
    else process.stdout.write('Signed out of the parent app; the stored sign-in is in use again.\n');
    return EXIT.ok;
  } finally {
    client.close();
  }
}
