// Namespaces share a connection and nothing else.

import assert from 'node:assert/strict'
import { connect, echo, fence, join, manage, open, testEachWay } from './support/client.mjs'
import { once, record } from './support/events.mjs'
import { differs, serve } from './support/server.mjs'

const server = await serve('smoke')

/** A socket in each of `/` and `/custom` over one connection. */
async function connectBoth(t, way) {
  const manager = manage(server, way)
  const upgraded = way.upgrades && once(manager.engine, 'upgrade')
  const main = join(t, manager, '/')
  const custom = join(t, manager, '/custom')
  await Promise.all([once(main, 'connect'), once(custom, 'connect')])
  await upgraded
  return { manager, main, custom }
}

testEachWay('NS-05 two namespaces share one connection, each with an id', async (t, way) => {
  const { manager, main, custom } = await connectBoth(t, way)
  const ids = new Set([main.id, custom.id, manager.engine.id])
  assert.equal(ids.size, 3)
})

testEachWay(
  'NS-06 an id is long, of URL-safe characters and not the session id',
  async (t, way) => {
    const socket = await connect(t, server, way)
    assert.match(socket.id, /^[\w-]{20,}$/)
    assert.notEqual(socket.id, socket.io.engine.id)
    assert.ok(!socket.id.includes(socket.io.engine.id))
  },
)

testEachWay('NS-05 messages never cross from one namespace to the other', async (t, way) => {
  const { main, custom } = await connectBoth(t, way)
  const heard = [record(main, 'echo'), record(custom, 'echo')]
  main.emit('echo', 'for main', Buffer.from('a'))
  custom.emit('echo', 'for custom', Buffer.from('b'))
  await Promise.all([fence(main), fence(custom)])
  assert.deepEqual(heard[0], [['for main', Buffer.from('a')]])
  assert.deepEqual(heard[1], [['for custom', Buffer.from('b')]])
})

testEachWay('NS-12 two connections to one namespace are two sockets', async (t, way) => {
  const first = await connect(t, server, way)
  const second = await connect(t, server, way)
  assert.notEqual(first.id, second.id)
  assert.notEqual(first.io.engine.id, second.io.engine.id)
})

testEachWay('NS-03 an unknown namespace is refused, the connection stays', async (t, way) => {
  const manager = manage(server, way)
  const refused = once(join(t, manager, '/unknown'), 'connect_error')
  const main = join(t, manager, '/')
  const [error] = await refused
  assert.equal(error.message, 'Invalid namespace')
  assert.equal(error.data, undefined)
  assert.deepEqual(await echo(main, 'alive'), ['alive'])
})

testEachWay('NS-03 a namespace with a strange name is refused as unknown', async (t, way) => {
  for (const namespace of ['/__proto__', '/朝辞白帝', '/custom/', '/Custom']) {
    const [error] = await once(open(t, server, way, { namespace }), 'connect_error')
    assert.equal(error.message, 'Invalid namespace', namespace)
  }
})

testEachWay('MW-04 a refusal carries its message and its data', async (t, way) => {
  const socket = open(t, server, way, { namespace: '/forbidden' })
  const [error] = await once(socket, 'connect_error')
  assert.equal(error.message, 'forbidden')
  assert.deepEqual(error.data, { code: 403 })
  assert.equal(socket.connected, false)
})

testEachWay('MW-09 a refusal leaves the connection to other namespaces', async (t, way) => {
  const manager = manage(server, way)
  const main = join(t, manager, '/')
  await once(join(t, manager, '/forbidden'), 'connect_error')
  assert.deepEqual(await echo(main, 'alive'), ['alive'])
})

testEachWay('the auth payload reaches the server', async (t, way) => {
  const auth = { token: 'abc', nested: { list: [1, null, '🎉'] } }
  for (const namespace of ['/', '/custom']) {
    const socket = await connect(t, server, way, { namespace, auth })
    const answer = once(socket, 'auth')
    socket.emit('auth')
    assert.deepEqual(await answer, [auth])
  }
})

testEachWay('without an auth payload it is an empty object', async (t, way) => {
  const socket = await connect(t, server, way)
  const answer = once(socket, 'auth')
  socket.emit('auth')
  assert.deepEqual(await answer, [{}])
})

testEachWay('EV-14 each namespace has an auth payload of its own', async (t, way) => {
  const manager = manage(server, way)
  const main = join(t, manager, '/', { auth: { name: 'main' } })
  const custom = join(t, manager, '/custom', { auth: { name: 'custom' } })
  const answers = [once(main, 'auth'), once(custom, 'auth')]
  main.emit('auth')
  custom.emit('auth')
  assert.deepEqual(await Promise.all(answers), [[{ name: 'main' }], [{ name: 'custom' }]])
})

testEachWay('NS-18 what is emitted before the connection arrives in order', async (t, way) => {
  const socket = open(t, server, way)
  const heard = record(socket, 'echo')
  for (let i = 0; i < 20; i++) {
    socket.emit('echo', i)
  }
  await fence(socket)
  assert.deepEqual(
    heard.flat(),
    Array.from({ length: 20 }, (_, i) => i),
  )
})

testEachWay('NS-09 a client leaves one namespace and keeps the other', async (t, way) => {
  const { manager, main, custom } = await connectBoth(t, way)
  const left = once(custom, 'disconnect')
  custom.disconnect()
  assert.deepEqual((await left)[0], 'io client disconnect')
  assert.deepEqual(await echo(main, 'alive'), ['alive'])
  assert.equal(manager.engine.readyState, 'open')
})

testEachWay('a client that comes back to a namespace gets a new id', async (t, way) => {
  const { main, custom } = await connectBoth(t, way)
  const before = custom.id
  custom.disconnect()
  // The official server closes a connection that leaves and joins within one batch of packets.
  await fence(main)
  const back = once(custom, 'connect')
  custom.connect()
  await back
  assert.notEqual(custom.id, before)
  assert.deepEqual(await echo(custom, 'alive'), ['alive'])
})

testEachWay('NS-20 a namespace of a family is one by itself', async (t, way) => {
  const manager = manage(server, way)
  const [first, second] = [join(t, manager, '/game-1'), join(t, manager, '/game-2')]
  await Promise.all([once(first, 'connect'), once(second, 'connect')])
  const heard = [record(first, 'msg'), record(second, 'msg')]
  await Promise.all([first, second].map((socket) => socket.emitWithAck('join', 'room')))
  first.emit('cast', 'room', 'for the first')
  second.emit('cast', 'room', Buffer.from('for the second'))
  await Promise.all([fence(first), fence(second)])
  assert.deepEqual(heard, [[['for the first']], [[Buffer.from('for the second')]]])
})

testEachWay('NS-20 other names are refused', async (t, way) => {
  for (const namespace of ['/game-', '/game-1/2', '/games']) {
    const [error] = await once(open(t, server, way, { namespace }), 'connect_error')
    assert.equal(error.message, 'Invalid namespace', namespace)
  }
})

testEachWay('NS-21 a family lets in whom it wants', async (t, way) => {
  const namespace = `/team-${way.name}`
  const [error] = await once(open(t, server, way, { namespace }), 'connect_error')
  assert.equal(error.message, 'Invalid namespace')
  const socket = await connect(t, server, way, { namespace, auth: { token: 'x' } })
  assert.deepEqual(await echo(socket, 'alive'), ['alive'])
  // Once it is there, the official server lets everybody in.
  const stranger = open(t, server, way, { namespace })
  await once(stranger, differs({ ours: 'connect_error', reference: 'connect' }))
})

testEachWay('NS-25 a namespace of a family can be joined again', async (t, way) => {
  const socket = await connect(t, server, way, { namespace: `/game-${way.name}` })
  const left = once(socket, 'disconnect')
  socket.emit('kick')
  assert.deepEqual((await left)[0], 'io server disconnect')
  const back = once(socket, 'connect')
  socket.connect()
  await back
  assert.deepEqual(await echo(socket, 'alive'), ['alive'])
})
