// The official Engine.IO client (profile eio: every message is echoed).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Socket } from 'engine.io-client'
import { testEachWay, upgrade } from './support/client.mjs'
import { collect, once, record } from './support/events.mjs'
import { serve } from './support/server.mjs'

// Pings come often, but no client loses its session when this machine pauses.
const PING_TIMEOUT = 5000

const server = await serve('eio', { env: { PING_TIMEOUT } })

function open(t, way) {
  const socket = new Socket(server.origin, { path: server.path, transports: way.transports })
  t.after(() => socket.close())
  return socket
}

async function connect(t, way) {
  const socket = open(t, way)
  const upgraded = way.upgrades && once(socket, 'upgrade')
  await once(socket, 'open')
  await upgraded
  return socket
}

testEachWay('HS-01 the handshake reaches the client', async (t, way) => {
  const socket = open(t, way)
  const [[handshake]] = await Promise.all([once(socket, 'handshake'), once(socket, 'open')])
  assert.equal(handshake.sid, socket.id)
  assert.deepEqual(
    [handshake.pingInterval, handshake.pingTimeout, handshake.maxPayload],
    [300, PING_TIMEOUT, 1_000_000],
  )
})

for (const [name, message] of Object.entries({
  'TR-21 a text': '朝辞白帝 € 🎉 \u2028 \ue000 \0',
  'TR-03 TR-04 binary': Buffer.from([0, 1, 0x1e, 0x34, 0xff]),
  'an empty Buffer': Buffer.alloc(0),
})) {
  testEachWay(`${name} is echoed`, async (t, way) => {
    const socket = await connect(t, way)
    const echoed = once(socket, 'message')
    socket.send(message)
    assert.deepEqual((await echoed)[0], message)
  })
}

testEachWay('UP-03 500 messages of both kinds come back in order', async (t, way) => {
  const socket = open(t, way)
  await once(socket, 'open')
  const sent = Array.from({ length: 500 }, (_, i) => (i % 3 ? `${i} 🎉` : Buffer.from(`${i}`)))
  const echoed = collect(socket, 'message', sent.length)
  sent.forEach((message) => socket.send(message))
  assert.deepEqual((await echoed).flat(), sent)
})

test('UP-01 the transport is websocket after the upgrade', async (t) => {
  const socket = await connect(t, upgrade)
  assert.equal(socket.transport.name, 'websocket')
})

testEachWay('HB-02 a client stays connected over several ping intervals', async (t, way) => {
  const socket = await connect(t, way)
  const lost = once(socket, 'close').then(([reason]) => assert.fail(`closed: ${reason}`))
  await Promise.race([collect(socket, 'ping', 4), lost])
  const echoed = once(socket, 'message')
  socket.send('alive')
  assert.deepEqual((await echoed)[0], 'alive')
})

testEachWay('CL-03 what is sent before the close arrives', async (t, way) => {
  const socket = await connect(t, way)
  const echoed = collect(socket, 'message', 3)
  for (const message of ['1', '2', '3']) {
    socket.send(message)
  }
  assert.deepEqual((await echoed).flat(), ['1', '2', '3'])
  const closed = once(socket, 'close')
  socket.close()
  assert.equal((await closed)[0], 'forced close')
})

testEachWay('UP-10 a client that closes right after open does no harm', async (t, way) => {
  const socket = open(t, way)
  await once(socket, 'open')
  const closed = once(socket, 'close')
  socket.close()
  await closed
  assert.equal((await connect(t, way)).readyState, 'open')
})

testEachWay('PL-04 a message over the limit ends the connection', async (t, way) => {
  const socket = await connect(t, way)
  const closed = once(socket, 'close')
  socket.send('a'.repeat(1_000_001))
  assert.match((await closed)[0], /^transport (close|error)$/)
})

testEachWay('many clients at once each get what they sent', async (t, way) => {
  const sockets = await Promise.all(Array.from({ length: 20 }, () => connect(t, way)))
  const heard = sockets.map((socket) => record(socket, 'message'))
  const echoed = sockets.map((socket) => collect(socket, 'message', 10))
  for (let i = 0; i < 10; i++) {
    sockets.forEach((socket, own) => socket.send(`${own}.${i}`))
  }
  await Promise.all(echoed)
  const expected = sockets.map((_, own) => Array.from({ length: 10 }, (_, i) => [`${own}.${i}`]))
  assert.deepEqual(heard, expected)
})
