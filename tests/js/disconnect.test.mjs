// How connections end, and the reason the client is given.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  connect,
  echo,
  fence,
  join,
  manage,
  polling,
  testEachWay,
  websocket,
} from './support/client.mjs'
import { once, record } from './support/events.mjs'
import { openFrames } from './support/frames.mjs'
import { openPolling, UNKNOWN_SID } from './support/polling.mjs'
import { serve } from './support/server.mjs'

const server = await serve('smoke')

testEachWay('NS-11 kick ends one namespace with a reason, the other lives', async (t, way) => {
  const manager = manage(server, way)
  const upgraded = way.upgrades && once(manager.engine, 'upgrade')
  const main = join(t, manager, '/')
  const custom = join(t, manager, '/custom')
  await Promise.all([once(main, 'connect'), once(custom, 'connect')])
  await upgraded
  const kicked = once(custom, 'disconnect')
  custom.emit('kick')
  assert.equal((await kicked)[0], 'io server disconnect')
  assert.deepEqual(await echo(main, 'alive'), ['alive'])
  assert.equal(manager.engine.readyState, 'open')
})

testEachWay('who was kicked may come back on the same connection', async (t, way) => {
  const socket = await connect(t, server, way)
  const before = socket.id
  const kicked = once(socket, 'disconnect')
  socket.emit('kick')
  await kicked
  const back = once(socket, 'connect')
  socket.connect()
  await back
  assert.notEqual(socket.id, before)
  assert.deepEqual(await echo(socket, 'alive'), ['alive'])
})

testEachWay('a kicked member no longer hears its room', async (t, way) => {
  const manager = manage(server, way)
  const main = join(t, manager, '/')
  const custom = join(t, manager, '/custom')
  await Promise.all([once(main, 'connect'), once(custom, 'connect')])
  const heard = record(main, 'msg')
  await main.emitWithAck('join', 'kicked')
  const kicked = once(main, 'disconnect')
  main.emit('kick')
  await kicked
  const other = await connect(t, server, websocket)
  other.emit('cast', 'kicked', 'x')
  await fence(other)
  await fence(custom)
  assert.deepEqual(heard, [])
})

testEachWay('CL-02 drop closes the connection of every namespace', async (t, way) => {
  const manager = manage(server, way)
  const upgraded = way.upgrades && once(manager.engine, 'upgrade')
  const main = join(t, manager, '/')
  const custom = join(t, manager, '/custom')
  await Promise.all([once(main, 'connect'), once(custom, 'connect')])
  await upgraded
  const ends = [once(main, 'disconnect'), once(custom, 'disconnect'), once(manager.engine, 'close')]
  main.emit('drop')
  const [[mainReason], [customReason], [engineReason]] = await Promise.all(ends)
  assert.deepEqual(
    [mainReason, customReason, engineReason],
    ['transport close', 'transport close', 'transport close'],
  )
})

testEachWay('CL-03 a client that disconnects gets its own reason', async (t, way) => {
  const socket = await connect(t, server, way)
  const disconnected = once(socket, 'disconnect')
  socket.disconnect()
  assert.equal((await disconnected)[0], 'io client disconnect')
})

testEachWay('CL-03 a client that closes its engine is closed by force', async (t, way) => {
  const socket = await connect(t, server, way)
  const disconnected = once(socket, 'disconnect')
  socket.io.engine.close()
  assert.equal((await disconnected)[0], 'forced close')
})

test('CL-07 drop over websocket is a close frame without a code, no packet before it', async (t) => {
  const frames = openFrames(t, server.webSocketUrl('EIO=4&transport=websocket'))
  await frames.next()
  frames.send('40')
  await frames.next()
  frames.send('42["drop"]')
  assert.deepEqual(await frames.end(), { code: 1005, reason: '' })
  assert.deepEqual(frames.pending, [])
})

test('CL-04 drop over polling is packet 1 in the poll', async () => {
  const session = await openPolling(server)
  await session.post('40')
  await session.poll()
  const { parked } = await session.parkGet()
  await session.post('42["drop"]')
  // On two connections the POST may be taken up first: the GET is then told as one that comes later.
  assert.match((await parked).body, /^(6\x1e)?1$/)
  const after = await session.get()
  assert.deepEqual([after.status, after.body], [400, UNKNOWN_SID])
})

test('kick is a DISCONNECT packet', async (t) => {
  const frames = openFrames(t, server.webSocketUrl('EIO=4&transport=websocket'))
  await frames.next()
  frames.send('40/custom,')
  await frames.next()
  frames.send('42/custom,["kick"]')
  assert.equal(await frames.next(), '41/custom,')
})

for (const [way, reason] of [
  [polling, 'transport error'],
  [websocket, 'transport close'],
]) {
  test(`the end of the server process is a ${reason} [${way.name}]`, async (t) => {
    const socket = await connect(t, server, way)
    const disconnected = once(socket, 'disconnect')
    await server.stop()
    const [received] = await disconnected
    await server.start()
    assert.equal(received, reason)
  })
}
