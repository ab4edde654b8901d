// The official emitter, and the official server with its Redis adapter, beside the binary on one Redis.

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, test } from 'node:test'
import { createAdapter } from '@socket.io/redis-adapter'
import { Emitter } from '@socket.io/redis-emitter'
import Redis from 'ioredis'
import { Server } from 'socket.io'
import { comparable, connect, polling, websocket } from './support/client.mjs'
import { once, record, settled } from './support/events.mjs'
import { startRedis, startServer } from './support/redis.mjs'

// Before Redis and the binary, which end by hooks of their own.
const clients = []
after(async () => {
  await io.close()
  clients.forEach((client) => client.disconnect())
})

const path = await startRedis()
const said = { on: 'say', relay: { room: '{0.room}' } }
const server = await startServer(
  path,
  '--set',
  `namespace=${JSON.stringify([{ rule: [said] }, { name: '/chat' }])}`,
  '--set',
  'redis.node_publish=true',
)
const publish = redis()
const emitter = new Emitter(publish)

// A server that stays in Node, with clients of its own.
const io = new Server(createServer().listen(0, '127.0.0.1'), {
  adapter: createAdapter(publish, redis(), { requestsTimeout: 20_000 }),
})
io.of('/chat')
await once(io.httpServer, 'listening')
const node = { origin: `http://127.0.0.1:${io.httpServer.address().port}` }
// Subscribed, as is the binary: from now on all hear of each other.
for (const namespace of ['/', '/chat']) {
  while ((await publish.pubsub('NUMSUB', `socket.io-request#${namespace}#`))[1] < 2) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function redis() {
  const client = new Redis({ path })
  clients.push(client)
  return client
}

/** What is published after all else: once it is there, nothing more is to come. */
async function fence(...sockets) {
  const fenced = sockets.map((socket) => once(socket, 'fence'))
  emitter.emit('fence')
  await Promise.all(fenced)
}

test('the emitter emits to everybody, with whatever an event may carry', async (t) => {
  const sockets = [await connect(t, server, polling), await connect(t, server, websocket)]
  const date = new Date(1234567890123)
  const args = [1, -1.5, 2 ** 40, 'é', null, true, [1, { a: [] }], Buffer.from([0, 1]), { deep: Buffer.alloc(3) }]
  for (const sent of [[], args, [date], [undefined, { gone: undefined, left: 1 }], ['x'.repeat(100_000)]]) {
    const heard = sockets.map((socket) => once(socket, 'e'))
    emitter.emit('e', ...sent)
    const expected = sent === args ? args : JSON.parse(JSON.stringify(sent))
    for (const one of heard) {
      assert.deepEqual(comparable(await one), expected)
    }
  }
})

test('the emitter chooses by rooms, ids and exceptions', async (t) => {
  const [ann, bob] = [await connect(t, server, websocket), await connect(t, server, websocket)]
  emitter.in(ann.id).socketsJoin(['a', 'both'])
  emitter.in(bob.id).socketsJoin(['b', 'both', 7])
  const [toAnn, toBob] = [record(ann, 'e'), record(bob, 'e')]
  emitter.to('a').emit('e', 1)
  emitter.to(['a', 'b']).emit('e', 2)
  emitter.to('both').except('a').emit('e', 3)
  emitter.except(bob.id).emit('e', 4)
  emitter.to(7).compress(false).emit('e', 5)
  emitter.to('nobody').emit('e', 6)
  emitter.in('both').socketsLeave('b')
  emitter.to('b').emit('e', 7)
  emitter.serverSideEmit('hello')
  await fence(ann, bob)
  assert.deepEqual([toAnn, toBob], [[[1], [2], [4]], [[2], [3], [5]]])
  const left = once(ann, 'disconnect')
  emitter.in('a').disconnectSockets()
  assert.deepEqual((await left)[0], 'io server disconnect')
})

test('a volatile event reaches who is ready', async (t) => {
  const socket = await connect(t, server, websocket)
  const heard = once(socket, 'now')
  const again = setInterval(() => emitter.volatile.emit('now', 1), 50)
  t.after(() => clearInterval(again))
  assert.deepEqual(await heard, [1])
})

test('each namespace has its own events', async (t) => {
  const [root, chat] = [await connect(t, server, websocket), await connect(t, server, websocket, { namespace: '/chat' })]
  const [inRoot, inChat] = [record(root, 'e'), once(chat, 'e')]
  emitter.of('/chat').emit('e', 'chat')
  assert.deepEqual(await inChat, ['chat'])
  await fence(root)
  assert.deepEqual(inRoot, [])
})

test('a server in Node emits to clients of both', async (t) => {
  const sockets = [await connect(t, server, websocket), await connect(t, node, websocket)]
  for (const socket of sockets) {
    emitter.in(socket.id).socketsJoin('shared')
  }
  await fence(...sockets)
  const heard = sockets.map((socket) => once(socket, 'e'))
  io.to('shared').emit('e', Buffer.from([1]))
  for (const one of heard) {
    assert.deepEqual(await one, [Buffer.from([1])])
  }
})

test('a server in Node finds, moves and disconnects sockets of both', async (t) => {
  const [ours, theirs] = [await connect(t, server, websocket, { query: { x: 'y' } }), await connect(t, node, websocket)]
  io.in(ours.id).socketsJoin('found')
  io.in(theirs.id).socketsJoin('found')
  await fence(ours, theirs)
  const found = await io.in('found').fetchSockets()
  assert.deepEqual(new Set(found.map(({ id }) => id)), new Set([ours.id, theirs.id]))
  const remote = found.find(({ id }) => id === ours.id)
  assert.deepEqual([...remote.rooms].sort(), [ours.id, 'found'].sort())
  assert.equal(remote.handshake.query.x, 'y')
  assert.equal(remote.handshake.address, '127.0.0.1')
  assert.ok(Math.abs(new Date(remote.handshake.time) - remote.handshake.issued) < 1000)
  assert.equal(remote.handshake.headers.cookie, undefined)
  const rooms = await io.of('/').adapter.allRooms()
  assert.ok(rooms.has('found') && rooms.has(ours.id) && rooms.has(theirs.id))
  const heard = once(ours, 'direct')
  remote.emit('direct', 1)
  assert.deepEqual(await heard, [1])
  remote.leave('found')
  await fence(ours)
  assert.deepEqual((await io.in('found').fetchSockets()).map(({ id }) => id), [theirs.id])
  const left = once(ours, 'disconnect')
  remote.disconnect(true)
  assert.equal((await left)[0], 'io server disconnect')
})

test('clients answer a server in Node', async (t) => {
  const sockets = [
    await connect(t, server, websocket),
    await connect(t, server, polling),
    await connect(t, node, websocket),
  ]
  const answers = ['text', { a: Buffer.from([1, 2]) }, null]
  sockets.forEach((socket, at) => {
    emitter.in(socket.id).socketsJoin('asked')
    socket.on('question', (arg, ack) => ack(answers[at], 'more'))
  })
  await fence(...sockets)
  const heard = await settled(io.to('asked').timeout(5_000).emitWithAck('question', 1), 'answers')
  const sorted = (list) => list.map((each) => JSON.stringify(each)).sort()
  assert.deepEqual(sorted(heard), sorted(answers))
})

/** Has the binary do something, by its API. */
async function call(op, body) {
  const answer = await fetch(`${server.api}/${op}`, { method: 'POST', body: JSON.stringify(body) })
  assert.equal(answer.status, 200, await answer.text())
}

/** What the binary publishes after all that it has published. */
async function behind(...sockets) {
  const fenced = sockets.map((socket) => once(socket, 'fence'))
  await call('emit', { event: 'fence' })
  await Promise.all(fenced)
}

test('what the binary emits reaches clients of a server in Node, each once', async (t) => {
  const [ours, theirs] = [await connect(t, server, websocket), await connect(t, node, websocket)]
  const [other, inChat] = [await connect(t, node, polling), await connect(t, node, websocket, { namespace: '/chat' })]
  for (const socket of [ours, theirs]) {
    emitter.in(socket.id).socketsJoin(['both', `only-${socket.id}`])
  }
  await fence(ours, theirs, other)
  const heard = [ours, theirs, other].map((socket) => record(socket, 'e'))
  const chat = once(inChat, 'e')
  await call('emit', { event: 'e', args: [1, 'é', { a: [null, 1.5] }] })
  await call('emit', { event: 'e', room: 'both', args: [2] })
  await call('emit', { event: 'e', to: { rooms: ['both', `only-${theirs.id}`] }, args: [3] })
  await call('emit', { event: 'e', except: { sids: [theirs.id] }, args: [4] })
  await call('emit', { event: 'e', room: 'both', except: { rooms: [`only-${ours.id}`] }, args: [5] })
  await call('emit', { event: 'e', to: { sids: [theirs.id] }, args: [6] })
  const placeholder = { _placeholder: true, num: 0 }
  await call('emit', { event: 'e', room: 'both', args: [7, { file: placeholder }], attachments: ['AQI='] })
  await call('emit', { event: 'e', to: { users: ['ann'] }, args: [8] })
  await call('emit', { event: 'e', namespace: '/chat', args: [9] })
  await call('emit', { event: 'e', args: [10] })
  await behind(ours, theirs, other)
  const all = [1, 'é', { a: [null, 1.5] }]
  const file = [7, { file: Buffer.from([1, 2]) }]
  assert.deepEqual(heard, [
    [all, [2], [3], [4], file, [10]],
    [all, [2], [3], [5], [6], file, [10]],
    [all, [4], [10]],
  ])
  assert.deepEqual(await chat, [9])
})

test('what a client of the binary says by a rule reaches those of a server in Node', async (t) => {
  const sockets = [
    await connect(t, server, websocket),
    await connect(t, server, websocket),
    await connect(t, node, websocket),
  ]
  for (const socket of sockets) {
    emitter.in(socket.id).socketsJoin('talk')
  }
  await fence(...sockets)
  const heard = sockets.map((socket) => record(socket, 'say'))
  const said = sockets.slice(1).map((socket) => once(socket, 'say'))
  sockets[0].emit('say', { room: 'talk', text: 'hi' })
  await Promise.all(said)
  await behind(...sockets)
  assert.deepEqual(heard, [[], [[{ room: 'talk', text: 'hi' }]], [[{ room: 'talk', text: 'hi' }]]])
})
