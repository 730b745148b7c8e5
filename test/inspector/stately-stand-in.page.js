import { createBrowserReceiver } from '@statelyai/inspect';

let told = [];
let messages = [];
addEventListener('message', ({ data }) => messages.push(JSON.stringify(data)));
setInterval(() => {
  if (messages.length === 0) return;
  fetch('/told', { method: 'POST', body: JSON.stringify({ told, messages }) });
  told = [];
  messages = [];
}, 50);
await fetch('/opened');
createBrowserReceiver().subscribe((event) => told.push(event));
const place = await (await fetch('/left')).text();
if (place !== '') location.href = place;
