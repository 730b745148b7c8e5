import { openBrowser, whyNoBrowser } from '../open-browser.js';
import { stdout, type Text, text } from './terminal.js';
import { COLOURS } from './text.js';

/** What `account/login/start` returned. */
type StartedLogin = Readonly<Record<string, unknown>>;

/** Shows the address and the code of a device sign-in, with a QR code where the terminal can show one. */
export async function showDeviceCode(started: StartedLogin, withQrCode: boolean): Promise<void> {
  const { paint } = stdout;
  const url = paint(COLOURS.cyan, String(started.verificationUrl));
  const code = paint(COLOURS.bold, String(started.userCode));
  const qr = withQrCode
    ? await qrCodeOf(String(started.verificationUrlComplete ?? started.verificationUrl))
    : undefined;
  const warning = 'Enter the code only if you started this sign-in yourself. It expires after 15 minutes.';
  const lines =
    qr === undefined
      ? [
          '',
          '  1. Open this address on any device and sign in:',
          text`     ${url}`,
          '  2. Enter this code:',
          text`     ${code}`,
          '',
          `  ${warning}`,
          '  Waiting. Press Ctrl-C to cancel.',
        ]
      : // Few lines, so that the QR code stays visible.
        [
          '',
          ...qr,
          text`  1. Scan the QR code, or open ${url}`,
          text`  2. Enter this code: ${code} (press Ctrl-C to cancel)`,
          `  ${warning}`,
        ];
  stdout.print(...lines);
}

/** The QR code saves typing the address on a phone; the text beside it holds the same. */
async function qrCodeOf(address: string): Promise<readonly Text[] | undefined> {
  if (!stdout.isTTY) return undefined;
  const { qrCode } = await import('./qr.js');
  return qrCode(address, stdout, process.env);
}

/** Opens the browser for a sign-in, or shows the address and how to reach it from elsewhere. */
export async function showBrowserAddress(url: string, mayOpenBrowser: boolean): Promise<void> {
  const { paint } = stdout;
  const obstacle = mayOpenBrowser ? whyNoBrowser(process.env, process.platform) : '--no-browser is set';
  const opened = obstacle === undefined && (await openBrowser(url, process.env, process.platform));
  const lines: (string | Text)[] = opened
    ? ['', '  Your browser opens for the sign-in. If it does not, open this address on this machine:']
    : [
        '',
        `  Open this address in a browser on this machine (${obstacle ?? 'no browser could be started'}):`,
      ];
  lines.push(text`  ${paint(COLOURS.cyan, url)}`, '');
  if (!opened) {
    const port = new URL(new URL(url).searchParams.get('redirect_uri') ?? 'http://127.0.0.1:1455').port;
    lines.push(
      '  The browser returns to this machine at the end. Over SSH, forward the port:',
      `    ssh -L ${port}:127.0.0.1:${port} …`,
      '  or use rc-engine login --device, which needs no browser on this machine.',
      '',
    );
  }
  lines.push('  Waiting for the browser. Press Ctrl-C to cancel.');
  stdout.print(...lines);
}
