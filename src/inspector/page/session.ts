import { SESSION_PROTOCOL } from '../wire.js';

const STORAGE_KEY = 'session';

const metaOf = (name: string): string =>
  document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? '';

/**
 * The page that the link opened contains the session. The storage of this origin, port included, keeps it for reloads
 * and further tabs. The address bar gets the address that opens the page again, because the token works only once.
 */
const given = metaOf('session');
const session = given === '' ? stored() : given;
if (given !== '') store(given);
history.replaceState(null, '', `${location.pathname}?page=${metaOf('page-key')}`);

/** Opens the socket that brings the timeline. */
export function openTimeline(): WebSocket {
  return new WebSocket(`ws://${location.host}/timeline`, [SESSION_PROTOCOL, session]);
}

/** 'none' is refused: an empty protocol would be an error of the browser. */
function stored(): string {
  try {
    return localStorage.getItem(STORAGE_KEY) ?? 'none';
  } catch {
    return 'none';
  }
}

function store(value: string): void {
  try {
    localStorage.setItem(STORAGE_KEY, value);
  } catch {
    // Without storage the page works until it is reloaded.
  }
}
