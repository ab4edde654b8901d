// Connection state recovery: the official client loses its connection, comes back as who it was, and has missed nothing.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, connected, fence, testEachWay, websocket, withoutOffset } from './support/client.mjs'
import { once, record } from './support/events.mjs'
import { brittleNetwork } from './support/proxy.mjs'
import { differs, isReference, serve } from './support/server.mjs'

const server = await serve('smoke-recovery')

/** Loses the connection by `lose`, has `meanwhile` happen, and comes back. */
async function comeBack(socket, way, lose, meanwhile = () => {}) {
  const lost = once(socket, 'disconnect')
  lose()
  const [reason] = await lost
  await meanwhile()
  socket.connect()
  await connected(socket, way)
  return reason
}

/** A client in the room `room`, which records its `msg` and has one already, so that it knows an offset. */
async function member(t, network, way, room) {
  const socket = await connect(t, network, way)
  const heard = record(socket, 'msg')
  await socket.emitWithAck('join', room)
  socket.emit('cast', room, 'first')
  await fence(socket)
  return { socket, heard, id: socket.id, args: () => heard.map(withoutOffset) }
}

/** Another client, which casts while the first is away. */
async function caster(t, room) {
  const socket = await connect(t, server, websocket)
  return async (...args) => {
    socket.emit('cast', room, ...args)
    await fence(socket)
  }
}

const losses = [
  ['its engine closes', (socket) => () => socket.io.engine.close()],
  ['the network breaks', (_socket, network) => () => network.cut()],
  ['the server drops it', (socket) => () => socket.emit('drop')],
]

for (const [name, loss] of losses) {
  testEachWay(`RC-04 RC-05 nothing is missed when ${name}`, async (t, way) => {
    const network = await brittleNetwork(t, server)
    const room = `${name} ${way.name}`
    const { socket, id, args } = await member(t, network, way, room)
    const cast = await caster(t, room)
    for (let round = 0; round < 3; round++) {
      const sid = socket.io.engine.id
      await comeBack(socket, way, loss(socket, network), async () => {
        await cast('missed', round)
        await cast(Buffer.from([round]), { deep: [Buffer.from('binary')] })
        await cast()
        network.mend()
      })
      assert.equal(socket.recovered, true)
      assert.equal(socket.id, id)
      assert.notEqual(socket.io.engine.id, sid)
      await cast('live', round)
      await fence(socket)
    }
    const expected = [['first']]
    for (let round = 0; round < 3; round++) {
      expected.push(['missed', round], [Buffer.from([round]), { deep: [Buffer.from('binary')] }], [], ['live', round])
    }
    assert.deepEqual(args(), expected)
  })
}

testEachWay('RC-04 missed events are there when the client is told that it is connected', async (t, way) => {
  const { socket, args } = await member(t, server, way, `before ${way.name}`)
  const cast = await caster(t, `before ${way.name}`)
  let known
  socket.once('disconnect', () => socket.once('connect', () => (known = args().length)))
  await comeBack(socket, way, () => socket.io.engine.close(), () => cast('missed'))
  assert.equal(known, 2)
})

testEachWay('RC-09 messages to other rooms and by itself are not sent', async (t, way) => {
  const { socket, args } = await member(t, server, way, `own ${way.name}`)
  const cast = await caster(t, `other ${way.name}`)
  await comeBack(socket, way, () => socket.io.engine.close(), () => cast('for others'))
  assert.equal(socket.recovered, true)
  await fence(socket)
  assert.deepEqual(args(), [['first']])
})

testEachWay('RC-03 events that ask for an ack leave the offset as it is', async (t, way) => {
  const { socket, args } = await member(t, server, way, `ack ${way.name}`)
  const cast = await caster(t, `ack ${way.name}`)
  socket.once('question', (text, answer) => answer(text))
  const answered = once(socket, 'answer')
  socket.emit('ask-ack', 'a string at the end')
  assert.deepEqual(withoutOffset(await answered), ['a string at the end'])
  await comeBack(socket, way, () => socket.io.engine.close(), () => cast('missed'))
  assert.equal(socket.recovered, true)
  assert.deepEqual(args(), [['first'], ['missed']])
})

testEachWay('RC-08 who was sent away is new', async (t, way) => {
  const { socket, id } = await member(t, server, way, 'kicked')
  await comeBack(socket, way, () => socket.emit('kick'))
  assert.ok(!socket.recovered)
  assert.notEqual(socket.id, id)
})

testEachWay('RC-08 who left is new', async (t, way) => {
  const { socket, id } = await member(t, server, way, 'left')
  await comeBack(socket, way, () => socket.disconnect())
  assert.ok(!socket.recovered)
  assert.notEqual(socket.id, id)
})

test('RC-05 each namespace of a connection is recovered', async (t) => {
  const { socket: main } = await member(t, server, websocket, 'main')
  const custom = main.io.socket('/custom')
  t.after(() => custom.disconnect())
  await once(custom, 'connect')
  const heard = record(custom, 'msg')
  await custom.emitWithAck('join', 'custom')
  custom.emit('cast', 'custom', 1)
  await fence(custom)
  const ids = [main.id, custom.id]
  const back = Promise.all([once(main, 'disconnect'), once(custom, 'disconnect')])
  main.io.engine.close()
  await back
  // So that the server knows.
  await caster(t, 'custom')
  const connections = [once(main, 'connect'), once(custom, 'connect')]
  main.connect()
  custom.connect()
  await Promise.all(connections)
  assert.deepEqual([main.recovered, custom.recovered, main.id, custom.id], [true, true, ...ids])
  custom.emit('cast', 'custom', 2)
  await fence(custom)
  assert.deepEqual(heard.map(withoutOffset), [[1], [2]])
})

// What follows is better than the official server, which takes such clients for new ones.

testEachWay('RC-04 a client that has not seen any event yet is recovered', async (t, way) => {
  const socket = await connect(t, server, way)
  const { id } = socket
  const heard = record(socket, 'msg')
  await socket.emitWithAck('join', `unseen ${way.name}`)
  const cast = await caster(t, `unseen ${way.name}`)
  await comeBack(socket, way, () => socket.io.engine.close(), () => cast('missed'))
  assert.equal(Boolean(socket.recovered), differs({ ours: true, reference: false }))
  assert.equal(socket.id === id, differs({ ours: true, reference: false }))
  assert.deepEqual(heard.map(withoutOffset), differs({ ours: [['missed']], reference: [] }))
})

testEachWay('RC-04 a client is recovered before its old connection is known to be dead', async (t, way) => {
  const network = await brittleNetwork(t, server)
  const { socket, id, args } = await member(t, network, way, `abandoned ${way.name}`)
  const cast = await caster(t, `abandoned ${way.name}`)
  await comeBack(socket, way, network.abandon, async () => {
    await cast('missed')
    network.mend()
  })
  assert.equal(Boolean(socket.recovered), differs({ ours: true, reference: false }))
  assert.equal(socket.id === id, differs({ ours: true, reference: false }))
  await cast('once')
  await fence(socket)
  assert.deepEqual(args(), differs({ ours: [['first'], ['missed'], ['once']], reference: [['first']] }))
})

test('RC-07 after a restart a client is new, and can be recovered from then on', async (t) => {
  const { socket, id, heard } = await member(t, server, websocket, 'restart')
  await comeBack(socket, websocket, () => void server.stop(), () => server.start())
  assert.ok(!socket.recovered)
  assert.notEqual(socket.id, id)
  // Its offset is still the one of the server before.
  const second = socket.id
  await socket.emitWithAck('join', 'restart')
  const cast = await caster(t, 'restart')
  await comeBack(socket, websocket, () => socket.io.engine.close(), () => cast('missed'))
  assert.equal(Boolean(socket.recovered), differs({ ours: true, reference: false }))
  assert.equal(socket.id === second, !isReference)
  assert.deepEqual(
    heard.map(withoutOffset),
    differs({ ours: [['first'], ['missed']], reference: [['first']] }),
  )
})
