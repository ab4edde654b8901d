// The official Socket.IO client 3 (profile smoke).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Manager } from 'socket.io-client-3'
import { comparable, connected, echo, upgrade, ways } from './support/client.mjs'
import { collect, once, record } from './support/events.mjs'
import { serve } from './support/server.mjs'

const server = await serve('smoke')

function manage(way) {
  return new Manager(server.origin, { transports: way.transports, reconnection: false })
}

/** A connected socket of `namespace`, on a connection of its own unless it is to share one. */
async function connect(t, way, namespace = '/', manager = manage(way), options) {
  const shared = manager.engine?.readyState === 'open'
  const socket = manager.socket(namespace, options)
  t.after(() => socket.disconnect())
  await connected(socket, shared ? { upgrades: false } : way)
  return socket
}

/** The answer of the server to `event`. */
function ask(socket, event, ...args) {
  return new Promise((resolve) => socket.emit(event, ...args, (...answer) => resolve(answer)))
}

function testEachWay(name, body) {
  ways.forEach((way) => test(`${name} [client 3, ${way.name}]`, (t) => body(t, way)))
}

testEachWay('NS-01 the client connects', async (t, way) => {
  const socket = await connect(t, way)
  assert.ok(socket.connected)
  assert.match(socket.id, /^[\w-]{20}$/)
  assert.notEqual(socket.id, socket.io.engine.id)
  assert.equal(socket.io.engine.transport.name, way.transports.at(-1))
})

for (const [name, args] of Object.entries({
  'EV-01 JSON of each kind': [1, 'é🎉\u2028', null, true, [1, [2]], { a: { b: [] } }],
  'EV-03 binary': [Buffer.from([0, 1, 0xff])],
  'EV-03 binary amid other values': ['a', { deep: [Buffer.from([1]), { b: Buffer.alloc(0) }] }, 2],
  'EV-06 100 KB of both kinds': ['a'.repeat(100_000), Buffer.alloc(100_000, 7)],
})) {
  testEachWay(`${name} comes back`, async (t, way) => {
    const socket = await connect(t, way)
    assert.deepEqual(comparable(await echo(socket, ...args)), args)
  })
}

testEachWay('EV-05 200 events of both kinds keep their order', async (t, way) => {
  const socket = await connect(t, way)
  const sent = Array.from({ length: 200 }, (_, i) => [i, i % 3 ? 'text' : Buffer.from([i])])
  const echoed = collect(socket, 'echo', sent.length)
  sent.forEach((args) => socket.emit('echo', ...args))
  assert.deepEqual(comparable(await echoed), sent)
})

testEachWay('AK-01 AK-02 the server acknowledges', async (t, way) => {
  const socket = await connect(t, way)
  const args = ['a', Buffer.from([1, 2]), { b: null }]
  assert.deepEqual(comparable(await ask(socket, 'ack-me', ...args)), args)
  assert.deepEqual(await ask(socket, 'ack-me'), [])
})

testEachWay('AK-04 the client acknowledges', async (t, way) => {
  const socket = await connect(t, way)
  socket.on('question', (...args) => args.pop()(...args.reverse()))
  const answered = once(socket, 'answer')
  socket.emit('ask-ack', 1, Buffer.from([2]), 'three')
  assert.deepEqual(comparable(await answered), ['three', Buffer.from([2]), 1])
})

testEachWay('RM-03 RM-06 rooms: members hear, others do not', async (t, way) => {
  const [one, two, three] = await Promise.all([1, 2, 3].map(() => connect(t, way)))
  const room = `room ${way.name}`
  for (const socket of [one, two]) assert.deepEqual(await ask(socket, 'join', room), [true])
  const heard = [one, two, three].map((socket) => record(socket, 'msg'))
  three.emit('cast', room, 'to both', Buffer.from([1]))
  await ask(three, 'ack-me')
  assert.deepEqual(await ask(two, 'leave', room), [true])
  three.emit('cast', room, 'to one')
  await ask(three, 'ack-me')
  for (const socket of [one, two, three]) await ask(socket, 'ack-me')
  const first = ['to both', Buffer.from([1])]
  assert.deepEqual(comparable(heard), [[first, ['to one']], [first], []])
})

testEachWay('NS-05 NS-11 two namespaces share a connection, and one is left', async (t, way) => {
  const root = await connect(t, way)
  const custom = await connect(t, way, '/custom', root.io, { auth: { token: 'abc' } })
  assert.notEqual(custom.id, root.id)
  const heard = record(root, 'auth')
  const answered = once(custom, 'auth')
  custom.emit('auth')
  assert.deepEqual(await answered, [{ token: 'abc' }])
  const kicked = once(custom, 'disconnect')
  custom.emit('kick')
  assert.equal((await kicked)[0], 'io server disconnect')
  assert.deepEqual(await echo(root, 'alive'), ['alive'])
  assert.deepEqual(heard, [])
})

testEachWay('MW-04 NS-03 a refusal says why', async (t, way) => {
  const root = await connect(t, way)
  for (const [namespace, message, data] of [
    ['/forbidden', 'forbidden', { code: 403 }],
    ['/unknown', 'Invalid namespace', undefined],
  ]) {
    const socket = root.io.socket(namespace)
    t.after(() => socket.disconnect())
    const [error] = await once(socket, 'connect_error')
    assert.ok(error instanceof Error)
    assert.deepEqual([error.message, error.data], [message, data])
    assert.equal(socket.connected, false)
  }
  assert.deepEqual(await echo(root, 'alive'), ['alive'])
})

testEachWay('CL-02 the server drops the connection', async (t, way) => {
  const socket = await connect(t, way)
  const gone = once(socket, 'disconnect')
  socket.emit('drop')
  assert.equal((await gone)[0], 'transport close')
})

test('UP-03 events keep their order over the upgrade [client 3]', async (t) => {
  const socket = manage(upgrade).socket('/')
  t.after(() => socket.disconnect())
  const echoed = collect(socket, 'echo', 200)
  const sent = Array.from({ length: 200 }, (_, i) => [i, i % 3 ? 'text' : Buffer.from([i])])
  const upgraded = once(socket.io.engine, 'upgrade')
  await once(socket, 'connect')
  sent.forEach((args) => socket.emit('echo', ...args))
  await upgraded
  assert.deepEqual(comparable(await echoed), sent)
})
