import { createBrowserReceiver } from '@statelyai/inspect';

let received = [];
let messages = [];
addEventListener('message', ({ data }) => messages.push(JSON.stringify(data)));
setInterval(() => {
  if (messages.length === 0) return;
  fetch('/received', { method: 'POST', body: JSON.stringify({ received, messages }) });
  received = [];
  messages = [];
}, 50);
await fetch('/opened');
createBrowserReceiver().subscribe((event) => received.push(event));
const target = await (await fetch('/navigation')).text();
if (target !== '') location.href = target;
