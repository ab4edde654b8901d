// Clients come back by themselves and bring what they wanted to say.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, echo, fence, testEachWay, ways } from './support/client.mjs'
import { once, record } from './support/events.mjs'
import { serve } from './support/server.mjs'

const server = await serve('smoke')

const persistent = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100 }

/** Waits for the disconnection and the connection after it; call it before provoking them. */
async function comeBack(socket) {
  const [reason] = await once(socket, 'disconnect')
  await once(socket, 'connect')
  return reason
}

testEachWay('after a drop the client reconnects by itself', async (t, way) => {
  const socket = await connect(t, server, way, persistent)
  const before = { id: socket.id, sid: socket.io.engine.id }
  const back = comeBack(socket)
  socket.emit('drop')
  assert.equal(await back, 'transport close')
  assert.notEqual(socket.id, before.id)
  assert.notEqual(socket.io.engine.id, before.sid)
  assert.deepEqual(await echo(socket, 'alive'), ['alive'])
})

testEachWay('each of five drops is followed by a connection', async (t, way) => {
  const socket = await connect(t, server, way, persistent)
  const ids = new Set([socket.id])
  for (let i = 0; i < 5; i++) {
    const back = comeBack(socket)
    socket.emit('drop')
    await back
    ids.add(socket.id)
  }
  assert.equal(ids.size, 6)
})

testEachWay('RC-01 without recovery a new connection is in no room', async (t, way) => {
  const socket = await connect(t, server, way, persistent)
  const heard = record(socket, 'msg')
  await socket.emitWithAck('join', 'forgotten')
  const back = comeBack(socket)
  socket.emit('drop')
  await back
  assert.ok(!socket.recovered)
  socket.emit('cast', 'forgotten', 'x')
  await fence(socket)
  assert.deepEqual(heard, [])
})

testEachWay('both namespaces of a connection come back', async (t, way) => {
  const main = await connect(t, server, way, persistent)
  const custom = main.io.socket('/custom')
  t.after(() => custom.disconnect())
  await once(custom, 'connect')
  const back = [comeBack(main), comeBack(custom)]
  custom.emit('drop')
  await Promise.all(back)
  assert.deepEqual(await echo(main, 'main'), ['main'])
  assert.deepEqual(await echo(custom, 'custom'), ['custom'])
})

testEachWay('CL-18 buffered emits arrive after the server is restarted', async (t, way) => {
  const socket = await connect(t, server, way, persistent)
  const heard = record(socket, 'echo')
  const disconnected = once(socket, 'disconnect')
  await server.stop()
  await disconnected
  const back = once(socket, 'connect')
  for (let i = 0; i < 10; i++) {
    socket.emit('echo', i, Buffer.from([i]))
  }
  await server.start()
  await back
  await fence(socket)
  assert.deepEqual(
    heard,
    Array.from({ length: 10 }, (_, i) => [i, Buffer.from([i])]),
  )
})

test('CL-18 many clients of all transports come back after a restart', async (t) => {
  const sockets = await Promise.all(
    Array.from({ length: 30 }, (_, i) => connect(t, server, ways[i % 3], persistent)),
  )
  const back = sockets.map(comeBack)
  await server.stop()
  await server.start()
  await Promise.all(back)
  const answers = await Promise.all(sockets.map((socket, i) => echo(socket, i)))
  assert.deepEqual(
    answers,
    sockets.map((_, i) => [i]),
  )
})

test('HB-03 a server that falls silent is a ping timeout, then a connection', async (t) => {
  const sockets = await Promise.all(ways.map((way) => connect(t, server, way, persistent)))
  const ends = sockets.map((socket) => once(socket, 'disconnect'))
  const back = sockets.map(comeBack)
  server.freeze()
  t.after(() => server.thaw())
  assert.deepEqual(
    (await Promise.all(ends)).map(([reason]) => reason),
    ['ping timeout', 'ping timeout', 'ping timeout'],
  )
  server.thaw()
  await Promise.all(back)
  const answers = await Promise.all(sockets.map((socket, i) => echo(socket, i)))
  assert.deepEqual(
    answers,
    sockets.map((_, i) => [i]),
  )
})
