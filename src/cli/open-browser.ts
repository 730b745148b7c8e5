import { spawn } from 'node:child_process';

/** Why no browser is opened here; undefined: one can be. */
export function whyNoBrowser(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): string | undefined {
  if (env.BROWSER) return undefined;
  if (env.SSH_CONNECTION || env.SSH_TTY) return 'this is a session over SSH';
  if (platform === 'linux' && !env.DISPLAY && !env.WAYLAND_DISPLAY) return 'there is no display here';
  return undefined;
}

/** Opens an address in the person's browser; BROWSER names another command. False when there is none. */
export function openBrowser(
  url: string,
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform,
): Promise<boolean> {
  const [command, ...args] = env.BROWSER ? [env.BROWSER, url] : commandFor(url, platform);
  return new Promise((resolve) => {
    const child = spawn(command ?? '', args, { stdio: 'ignore', detached: true });
    child.once('error', () => resolve(false));
    child.once('spawn', () => {
      // It outlives this command.
      child.unref();
      resolve(true);
    });
  });
}

function commandFor(url: string, platform: NodeJS.Platform): readonly string[] {
  if (platform === 'darwin') return ['open', url];
  if (platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler', url];
  return ['xdg-open', url];
}
