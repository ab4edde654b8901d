// The playground's server with the official socket.io: what the Rust server must do, in Node.
// The browser tests pass against it first; that proves the tests.
//
//   PORT=0 node reference.mjs        prints "listening on 127.0.0.1:<port>"

import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { Server } from 'socket.io';

const PAGE = new URL('../../server/src/playground/', import.meta.url);
const TYPES = { js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8' };
const EVENTS = ['echo', 'join', 'leave', 'say'];

const http = createServer(async (request, response) => {
  const path = request.url.split('?')[0];
  if (path.startsWith('/socket.io/')) return;
  if (request.method === 'POST' && path === '/api/v1/emit') return emit(request, response);
  const file = path === '/' ? 'page.html' : /^\/playground\/([a-z]+\.(?:js|css))$/.exec(path)?.[1];
  const body = file && await readFile(new URL(file, PAGE)).catch(() => null);
  if (!body) return response.writeHead(404).end();
  const type = TYPES[file.split('.')[1]] ?? 'text/html; charset=utf-8';
  response.writeHead(200, { 'Content-Type': type, 'Cache-Control': 'no-cache' }).end(body);
});
const io = new Server(http);

async function emit(request, response) {
  const chunks = await request.toArray();
  const { namespace = '/', room, event, args } = JSON.parse(Buffer.concat(chunks));
  const target = room === undefined ? io.of(namespace) : io.of(namespace).to(room);
  const sockets = await target.fetchSockets();
  target.emit(event, ...args);
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ sockets: sockets.length }));
}

/** Sockets in a room. */
function members(room) {
  return io.sockets.adapter.rooms.get(room)?.size ?? 0;
}

function isRoom(value) {
  return typeof value === 'string' && value !== '';
}

io.on('connection', (socket) => {
  socket.emit('welcome', { id: socket.id, events: EVENTS });

  socket.on('echo', (...args) => {
    const ack = typeof args.at(-1) === 'function' ? args.pop() : undefined;
    socket.emit('echo', ...args);
    ack?.(...args);
  });

  socket.on('join', (room, ack) => {
    if (!isRoom(room)) return ack?.({ error: 'the room must be a non-empty string' });
    const known = socket.rooms.has(room);
    socket.join(room);
    if (!known) socket.to(room).emit('joined', { room, id: socket.id, members: members(room) });
    return ack?.({ room, members: members(room) });
  });

  socket.on('leave', (room, ack) => {
    if (!isRoom(room)) return ack?.({ error: 'the room must be a non-empty string' });
    const known = socket.rooms.has(room);
    socket.leave(room);
    if (known) socket.to(room).emit('left', { room, id: socket.id, members: members(room) });
    return ack?.({ room, members: members(room) });
  });

  socket.on('say', (room, text, ack) => {
    if (!isRoom(room) || typeof text !== 'string') return ack?.({ error: 'say takes a room and a text' });
    if (!socket.rooms.has(room)) return ack?.({ error: `you are not in the room ${room}` });
    io.to(room).emit('said', { room, from: socket.id, text });
    return ack?.({ room, members: members(room) });
  });

  socket.on('disconnecting', () => {
    for (const room of socket.rooms) {
      socket.to(room).emit('left', { room, id: socket.id, members: members(room) - 1 });
    }
  });
});

http.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  console.log(`listening on 127.0.0.1:${http.address().port}`);
});
