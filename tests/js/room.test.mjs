// Rooms: who hears what is cast into them, on whatever transport.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  comparable,
  connect,
  fence,
  polling,
  testEachWay,
  upgrade,
  ways,
  websocket,
} from './support/client.mjs'
import { once, record } from './support/events.mjs'
import { serve } from './support/server.mjs'

const server = await serve('smoke')

/** Casts, then waits until it has arrived wherever it was bound to. */
async function cast(caster, listeners, room, ...args) {
  caster.emit('cast', room, ...args)
  await fence(caster)
  await Promise.all(listeners.map(fence))
}

function connectEach(t, options) {
  return Promise.all(ways.map((way) => connect(t, server, way, options)))
}

testEachWay('joining and leaving is acknowledged with true', async (t, way) => {
  const socket = await connect(t, server, way)
  assert.equal(await socket.emitWithAck('join', 'lobby'), true)
  assert.equal(await socket.emitWithAck('leave', 'lobby'), true)
})

for (const caster of ways) {
  test(`RM-03 members on all transports hear a cast, each once [from ${caster.name}]`, async (t) => {
    const members = await connectEach(t)
    const outsiders = await connectEach(t)
    const sender = await connect(t, server, caster)
    const heard = members.map((member) => record(member, 'msg'))
    const silence = [...outsiders, sender].map((socket) => record(socket, 'msg'))
    await Promise.all(members.map((member) => member.emitWithAck('join', 'news')))
    await cast(sender, [...members, ...outsiders], 'news', 'hello', 1, { all: true })
    assert.deepEqual(
      heard,
      members.map(() => [['hello', 1, { all: true }]]),
    )
    assert.deepEqual(silence.flat(), [])
  })
}

testEachWay('the sender hears its cast if it is in the room', async (t, way) => {
  const sender = await connect(t, server, way)
  const heard = record(sender, 'msg')
  await cast(sender, [], 'echoing', 'before')
  await sender.emitWithAck('join', 'echoing')
  await cast(sender, [], 'echoing', 'within')
  await sender.emitWithAck('leave', 'echoing')
  await cast(sender, [], 'echoing', 'after')
  assert.deepEqual(heard, [['within']])
})

test('RM-01 binary is cast to all transports', async (t) => {
  const members = await connectEach(t)
  const heard = members.map((member) => record(member, 'msg'))
  await Promise.all(members.map((member) => member.emitWithAck('join', 'binary')))
  const args = [Buffer.from([0, 0x1e, 0xff]), 'text', { more: Buffer.alloc(0) }]
  await cast(members[0], members, 'binary', ...args)
  assert.deepEqual(
    comparable(heard),
    members.map(() => [comparable(args)]),
  )
})

test('casts arrive in their order, text and binary mixed', async (t) => {
  const members = await connectEach(t)
  const heard = members.map((member) => record(member, 'msg'))
  await Promise.all(members.map((member) => member.emitWithAck('join', 'ordered')))
  const values = Array.from({ length: 100 }, (_, i) => (i % 3 ? i : Buffer.from(`number ${i}`)))
  for (const value of values) {
    members[1].emit('cast', 'ordered', value)
  }
  await fence(members[1])
  await Promise.all(members.map(fence))
  assert.deepEqual(
    heard,
    members.map(() => values.map((value) => [value])),
  )
})

testEachWay('RM-01 a room of the same name in another namespace hears nothing', async (t, way) => {
  const main = await connect(t, server, way)
  const custom = await connect(t, server, way, { namespace: '/custom' })
  const heard = [record(main, 'msg'), record(custom, 'msg')]
  await Promise.all([main.emitWithAck('join', 'both'), custom.emitWithAck('join', 'both')])
  await cast(main, [custom], 'both', 'from main')
  await cast(custom, [main], 'both', 'from custom')
  assert.deepEqual(heard, [[['from main']], [['from custom']]])
})

testEachWay('RM-04 who joins twice hears once and leaves at once', async (t, way) => {
  const socket = await connect(t, server, way)
  const heard = record(socket, 'msg')
  await socket.emitWithAck('join', 'twice')
  await socket.emitWithAck('join', 'twice')
  await cast(socket, [], 'twice', 'one')
  await socket.emitWithAck('leave', 'twice')
  await cast(socket, [], 'twice', 'two')
  assert.deepEqual(heard, [['one']])
})

testEachWay('a member of two rooms hears each of them', async (t, way) => {
  const socket = await connect(t, server, way)
  const heard = record(socket, 'msg')
  await socket.emitWithAck('join', 'left')
  await socket.emitWithAck('join', 'right')
  await cast(socket, [], 'left', 'l')
  await cast(socket, [], 'right', 'r')
  assert.deepEqual(heard, [['l'], ['r']])
})

testEachWay('RM-06 leaving and casting to an unknown room is harmless', async (t, way) => {
  const socket = await connect(t, server, way)
  const heard = record(socket, 'msg')
  assert.equal(await socket.emitWithAck('leave', 'never joined'), true)
  await cast(socket, [], 'never joined', 'x')
  assert.deepEqual(heard, [])
})

testEachWay('RM-07 each socket is in the room of its own id', async (t, way) => {
  const sender = await connect(t, server, way)
  const receiver = await connect(t, server, websocket)
  const heard = [record(sender, 'msg'), record(receiver, 'msg')]
  await cast(sender, [receiver], receiver.id, 'for you')
  assert.deepEqual(heard, [[], [['for you']]])
})

testEachWay('RM-09 who has left the namespace is in no room of it', async (t, way) => {
  const sender = await connect(t, server, polling)
  const member = await connect(t, server, way)
  await member.emitWithAck('join', 'short-lived')
  member.disconnect()
  const back = once(member, 'connect')
  member.connect()
  await back
  const heard = record(member, 'msg')
  await cast(sender, [member], 'short-lived', 'x')
  assert.deepEqual(heard, [])
})

for (const name of ['', '🎉 朝辞', 'a#b*c?', '__proto__', 'x'.repeat(200)]) {
  test(`a room may be called ${JSON.stringify(name).slice(0, 20)}`, async (t) => {
    const member = await connect(t, server, upgrade)
    const heard = record(member, 'msg')
    await member.emitWithAck('join', name)
    await cast(member, [], name, 'x')
    assert.deepEqual(heard, [['x']])
  })
}
