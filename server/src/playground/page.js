// The playground's page: makes its parts and ties them to one Socket.

import { Chat } from './chat.js';
import { Connection } from './connection.js';
import { Events } from './events.js';
import { Log } from './log.js';
import { Socket } from './socket.js';
import { Terminal } from './terminal.js';

const socket = new Socket({
  state(state, detail, delay) {
    connection.state(state, detail, delay);
    chat.state(state);
    events.state(state);
    if (detail) log.note(`${state}: ${detail}`);
  },
  connected(id) {
    connection.connected(id);
    chat.connected(id);
  },
  event(name, args) {
    if (!chat.handle(name, args)) events.received(name, args);
  },
  packet: (packet) => log.packet(packet),
  handshake: (values) => connection.handshake(values),
  transport: (name) => connection.transport(name),
  probe: (name) => connection.probe(name),
  roundTrip: (milliseconds) => connection.roundTrip(milliseconds),
});
const log = new Log();
const terminal = new Terminal();
const connection = new Connection(socket);
const chat = new Chat(socket, (room) => terminal.room(room));
const events = new Events(socket);

// The server hears of a closed tab at once, not only when the ping timeout has passed; and the
// browser may bring the tab back as it was.
let resume = false;
addEventListener('pagehide', () => {
  resume = socket.active;
  socket.disconnect();
});
addEventListener('pageshow', () => {
  if (resume) connection.connect();
});

connection.connect();
