// The server the benchmarks run against does what they measure (profile bench).

import assert from 'node:assert/strict'
import { connect, testEachWay } from './support/client.mjs'
import { once, record } from './support/events.mjs'
import { serve } from './support/server.mjs'

const server = await serve('bench')

for (const [event, value] of [
  ['echo', 'a text 🎉'],
  ['bin', Buffer.from([0, 1, 0xff])],
]) {
  testEachWay(`${event} comes back`, async (t, way) => {
    const socket = await connect(t, server, way)
    const answer = once(socket, event)
    socket.emit(event, value)
    assert.deepEqual(await answer, [value])
  })
}

testEachWay('ack is acknowledged with its text', async (t, way) => {
  const socket = await connect(t, server, way)
  assert.equal(await socket.emitWithAck('ack', 'a text'), 'a text')
})

testEachWay('cast reaches the members of the room', async (t, way) => {
  const [caster, member, outsider] = await Promise.all([1, 2, 3].map(() => connect(t, server, way)))
  const heard = [caster, member, outsider].map((socket) => record(socket, 'msg'))
  await Promise.all([caster, member].map((socket) => socket.emitWithAck('join', 'room')))
  caster.emit('cast', 'room', 'hello')
  await caster.emitWithAck('ack', '')
  await Promise.all([member, outsider].map((socket) => socket.emitWithAck('ack', '')))
  assert.deepEqual(heard, [[['hello']], [['hello']], []])
})

testEachWay('ask is acknowledged with how many members of the room answered', async (t, way) => {
  const [asker, member, outsider] = await Promise.all([1, 2, 3].map(() => connect(t, server, way)))
  const heard = [asker, member, outsider].map((socket) => record(socket, 'question'))
  for (const socket of [asker, member, outsider]) {
    socket.on('question', (_text, ack) => ack())
  }
  await Promise.all([asker, member].map((socket) => socket.emitWithAck('join', 'room')))
  assert.equal(await asker.emitWithAck('ask', 'room', 'well?'), 2)
  await outsider.emitWithAck('ack', '')
  assert.deepEqual(
    heard.map((events) => events.map(([text]) => text)),
    [['well?'], ['well?'], []],
  )
})

testEachWay('HS-02 the options are the defaults', async (t, way) => {
  const socket = await connect(t, server, way)
  assert.equal(socket.connected, true)
  const handshake = await fetch(server.httpUrl('EIO=4&transport=polling'))
  const { pingInterval, pingTimeout, maxPayload } = JSON.parse((await handshake.text()).slice(1))
  assert.deepEqual([pingInterval, pingTimeout, maxPayload], [25_000, 20_000, 1_000_000])
})
