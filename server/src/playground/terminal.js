// Commands and small programs that talk to the server this page came from, ready to be copied.

import { copy, create, find } from './dom.js';

export class Terminal {
  constructor() {
    this.room(null);
  }

  /** Writes the snippets for the room that is looked at; null: none. */
  room(name) {
    const room = name ?? 'lobby';
    find('terminal-hint').textContent = name === null
      ? 'Join the room first, or nobody is there to hear it.'
      : `What they say appears above, in the room ${room}.`;
    find('snippets').replaceChildren(...snippets(location.origin, room).map(render));
  }
}

function render({ id, title, text }) {
  const pre = create('pre', { id, tabIndex: 0 }, text);
  pre.setAttribute('aria-label', title);
  const button = create('button', { type: 'button' }, 'Copy');
  button.addEventListener('click', () => copy(text, button));
  return create('article', {}, create('div', { className: 'row heading' }, create('h3', {}, title), button), pre);
}

function snippets(origin, room) {
  const name = JSON.stringify(room);
  const message = `{"namespace":"/","room":${name},"event":"said",
       "args":[{"room":${name},"from":"curl","text":"hello"}]}`;
  return [
    {
      id: 'snippet-emit',
      title: 'Emit by HTTP, from any language',
      text: `curl -sS ${quote(`${origin}/api/v1/emit`)} \\
  -H 'Content-Type: application/json' \\
  -d ${quote(message)}
`,
    },
    {
      id: 'snippet-polling',
      title: 'Speak the protocol by hand',
      text: `url=${quote(`${origin}/socket.io/?EIO=4&transport=polling`)}
# Engine.IO handshake: the open packet holds the session id
open=$(curl -sS "$url"); echo "$open"
sid=$(echo "$open" | sed 's/.*"sid":"\\([^"]*\\)".*/\\1/')
# Socket.IO: CONNECT to the namespace /
curl -sS "$url&sid=$sid" -H 'Content-Type: text/plain' -d 40; echo
# poll for what the server says; 0x1e stands between packets
curl -sS "$url&sid=$sid" | tr '\\036' '\\n'; echo
`,
    },
    {
      id: 'snippet-javascript',
      title: 'JavaScript: socket.io-client',
      text: `// npm install socket.io-client
import { io } from "socket.io-client";

const socket = io(${JSON.stringify(origin)});
socket.on("said", ({ from, text }) => console.log(from, text));
socket.on("connect", async () => {
  console.log(await socket.emitWithAck("join", ${name}));
  socket.emit("say", ${name}, "hello from JavaScript");
});
`,
    },
    {
      id: 'snippet-python',
      title: 'Python: python-socketio',
      text: `# pip install "python-socketio[client]"
import socketio

with socketio.SimpleClient() as client:
    client.connect(${JSON.stringify(origin)})
    print(client.call("join", ${name}))
    client.emit("say", (${name}, "hello from Python"))
    while True:
        print(client.receive())
`,
    },
  ];
}

/** A word for the shell: nothing within single quotes has a meaning but their end. */
function quote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
