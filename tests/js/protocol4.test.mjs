// The official client of Socket.IO 2.x (protocol 4 over Engine.IO's revision 3), beside those of 3.x and 4.x.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import io2 from 'socket.io-client-2'
import { Manager as Manager3 } from 'socket.io-client-3'
import { comparable, connect, connected, echo, fence, testEachWay, ways } from './support/client.mjs'
import { collect, once, record, settled } from './support/events.mjs'
import { serve } from './support/server.mjs'

const server = await serve('smoke')

const persistent = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100 }

function manage2(t, way, options = {}) {
  const manager = new io2.Manager(server.origin, {
    transports: way.transports,
    reconnection: false,
    ...options,
  })
  t.after(() => manager.close())
  return manager
}

/** A connected socket of the client of 2.x, after the upgrade if there is to be one. */
async function connect2(t, way, { namespace = '/', query, ...options } = {}) {
  const manager = manage2(t, way, options)
  const upgraded = way.upgrades && once(manager.engine, 'upgrade')
  const socket = manager.socket(namespace, { query })
  await once(socket, 'connect')
  await upgraded
  return socket
}

/** A connected socket of the client of 3.x. */
async function connect3(t, way, namespace) {
  const manager = new Manager3(server.origin, { transports: way.transports, reconnection: false })
  const socket = manager.socket(namespace)
  t.after(() => socket.disconnect())
  await connected(socket, way)
  return socket
}

/** The arguments of the server's ack. */
function ask(socket, event, ...args) {
  return settled(
    new Promise((resolve) => socket.emit(event, ...args, (...answer) => resolve(answer))),
    `ack of ${event}`,
  )
}

/** A round trip: what the server had queued for this socket before has arrived after it. */
const fence2 = (socket) => ask(socket, 'ack-me')

const bytes = Buffer.from([0, 1, 0x1e, 0x34, 0x7f, 0x80, 0xff])

const rows = {
  nothing: [],
  'several arguments': ['text', 1.5, true, null, [1, [2]], { a: { b: 'c' } }],
  unicode: ['朝辞白帝 € 🎉 \u2028 \ue000 \0', { ключ: 'значение' }],
  'a Buffer': [bytes],
  'an ArrayBuffer': [new Uint8Array([1, 2, 3]).buffer],
  'an empty Buffer': [Buffer.alloc(0)],
  'nested binary and unicode': [
    'é',
    { a: [bytes, { b: Buffer.from('b') }], c: '🎉' },
    Buffer.from('c'),
  ],
  'ten attachments': Array.from({ length: 10 }, (_, i) => Buffer.alloc(i, i)),
  'a long text': ['x🎉'.repeat(100_000)],
  'a long Buffer': [Buffer.alloc(300_000, 'abc')],
}

for (const [name, args] of Object.entries(rows)) {
  testEachWay(`V2-09 ${name} comes back`, async (t, way) => {
    for (const namespace of ['/', '/custom']) {
      const socket = await connect2(t, way, { namespace })
      assert.deepEqual(comparable(await echo(socket, ...args)), comparable(args))
      assert.deepEqual(comparable(await ask(socket, 'ack-me', ...args)), comparable(args))
      socket.once('question', (...received) => received.pop()(...received))
      const answered = once(socket, 'answer')
      socket.emit('ask-ack', ...args)
      assert.deepEqual(comparable(await answered), comparable(args))
    }
  })
}

testEachWay('V2-09 binary comes back to a client that takes none', async (t, way) => {
  const socket = await connect2(t, way, { forceBase64: true })
  assert.deepEqual(comparable(await echo(socket, { a: bytes }, 'text')), [{ a: bytes }, 'text'])
})

testEachWay('V2-02 V2-04 namespaces share a connection and nothing else', async (t, way) => {
  const manager = manage2(t, way)
  const upgraded = way.upgrades && once(manager.engine, 'upgrade')
  const main = manager.socket('/')
  const custom = manager.socket('/custom')
  await Promise.all([once(main, 'connect'), once(custom, 'connect')])
  await upgraded
  const heard = [record(main, 'echo'), record(custom, 'echo')]
  main.emit('echo', 'for main', bytes)
  custom.emit('echo', 'for custom', bytes)
  await Promise.all([fence2(main), fence2(custom)])
  assert.deepEqual(comparable(heard), [[['for main', bytes]], [['for custom', bytes]]])
})

testEachWay('V2-05 the query of a namespace is its auth payload', async (t, way) => {
  for (const [namespace, query, auth] of [
    ['/', undefined, {}],
    ['/', { token: 'abc' }, {}],
    ['/custom', undefined, {}],
    ['/custom', { token: 'abc', text: 'é &=,?/🎉' }, { token: 'abc', text: 'é &=,?/🎉' }],
    ['/custom', 'token=abc', { token: 'abc' }],
  ]) {
    const socket = await connect2(t, way, { namespace, query })
    const answer = once(socket, 'auth')
    socket.emit('auth')
    assert.deepEqual(await answer, [auth])
  }
})

testEachWay('V2-06 V2-07 refusals arrive as errors, and the connection stays', async (t, way) => {
  const manager = manage2(t, way)
  const main = manager.socket('/')
  const refused = ['/forbidden', '/unknown'].map((name) => once(manager.socket(name), 'error'))
  const errors = [[{ code: 403 }], [{ message: 'Invalid namespace' }]]
  assert.deepEqual(await Promise.all(refused), errors)
  assert.deepEqual(await echo(main, 'alive'), ['alive'])
})

testEachWay('V2-03 the id that the client makes up is the one the server knows', async (t, way) => {
  const sender = await connect(t, server, way)
  const main = await connect2(t, way)
  assert.equal(main.id, main.io.engine.id)
  const heard = record(main, 'msg')
  sender.emit('cast', main.id, 'for you')
  await fence(sender)
  await fence2(main)
  assert.deepEqual(heard, [['for you']])

  const custom = await connect2(t, way, { namespace: '/custom' })
  assert.equal(custom.id, `/custom#${custom.io.engine.id}`)
  const heardInCustom = record(custom, 'msg')
  custom.emit('cast', custom.id, 'for me')
  await fence2(custom)
  assert.deepEqual(heardInCustom, [['for me']])
})

for (const namespace of ['/', '/custom']) {
  test(`V2-10 RM-11 clients of every line hear the same casts in ${namespace}`, async (t) => {
    const news = await Promise.all(ways.map((way) => connect(t, server, way, { namespace })))
    const middles = await Promise.all(ways.map((way) => connect3(t, way, namespace)))
    const olds = await Promise.all(ways.map((way) => connect2(t, way, { namespace })))
    const outsider = await connect2(t, ways[0], { namespace })
    const silence = record(outsider, 'msg')
    const members = [...news, ...middles, ...olds]
    const heard = members.map((member) => record(member, 'msg'))
    for (const member of members) {
      assert.deepEqual(await ask(member, 'join', 'both'), [true])
    }
    const args = ['é🎉', bytes, { more: [Buffer.alloc(0), 1] }]
    news[0].emit('cast', 'both', 'from 4.x', ...args)
    await fence(news[0])
    middles[0].emit('cast', 'both', 'from 3.x', ...args)
    await fence2(middles[0])
    olds[0].emit('cast', 'both', 'from 2.x', ...args)
    await fence2(olds[0])
    await Promise.all([...news.map(fence), ...[...middles, ...olds, outsider].map(fence2)])
    assert.deepEqual(
      comparable(heard),
      heard.map(() => [
        ['from 4.x', ...args],
        ['from 3.x', ...args],
        ['from 2.x', ...args],
      ]),
    )
    await Promise.all(olds.map((member) => ask(member, 'leave', 'both')))
    news[0].emit('cast', 'both', 'without 2.x')
    await fence(news[0])
    await Promise.all([...middles, ...olds].map(fence2))
    assert.deepEqual(
      heard.map((events) => events.length),
      [4, 4, 4, 4, 4, 4, 3, 3, 3],
    )
    assert.deepEqual(silence, [])
  })
}

testEachWay('casts to a room arrive in their order, text and binary mixed', async (t, way) => {
  const socket = await connect2(t, way)
  await ask(socket, 'join', 'ordered')
  const values = Array.from({ length: 100 }, (_, i) => (i % 3 ? `${i} €🎉` : Buffer.from([i])))
  const heard = collect(socket, 'msg', values.length)
  values.forEach((value) => socket.emit('cast', 'ordered', value))
  assert.deepEqual(comparable((await heard).flat()), values)
})

testEachWay('NS-11 kick ends one namespace, drop the connection', async (t, way) => {
  const manager = manage2(t, way)
  const upgraded = way.upgrades && once(manager.engine, 'upgrade')
  const main = manager.socket('/')
  const custom = manager.socket('/custom')
  await Promise.all([once(main, 'connect'), once(custom, 'connect')])
  await upgraded
  const kicked = once(custom, 'disconnect')
  custom.emit('kick')
  assert.deepEqual(await kicked, ['io server disconnect'])
  assert.deepEqual(await echo(main, 'alive'), ['alive'])
  const back = once(custom, 'connect')
  custom.connect()
  await back
  assert.deepEqual(await echo(custom, 'alive'), ['alive'])
  const dropped = [once(main, 'disconnect'), once(custom, 'disconnect')]
  main.emit('drop')
  assert.deepEqual(await Promise.all(dropped), [['transport close'], ['transport close']])
})

testEachWay('after a drop the client reconnects with its namespaces and new ids', async (t, way) => {
  const main = await connect2(t, way, persistent)
  const custom = main.io.socket('/custom', { query: { token: 'abc' } })
  await once(custom, 'connect')
  const before = [main.id, custom.id]
  const lost = [once(main, 'disconnect'), once(custom, 'disconnect')]
  const back = [once(main, 'connect'), once(custom, 'connect')]
  custom.emit('drop')
  await Promise.all([...lost, ...back])
  assert.notEqual(main.id, before[0])
  assert.notEqual(custom.id, before[1])
  assert.deepEqual(await echo(main, 'alive'), ['alive'])
  const auth = once(custom, 'auth')
  custom.emit('auth')
  assert.deepEqual(await auth, [{ token: 'abc' }])
})

testEachWay('HB-06 the client pings, and stays', async (t, way) => {
  const socket = await connect2(t, way)
  await collect(socket, 'pong', 3)
  assert.deepEqual(await echo(socket, 'alive'), ['alive'])
})

testEachWay('CL-03 a client that disconnects gets its own reason', async (t, way) => {
  const socket = await connect2(t, way, { namespace: '/custom' })
  const disconnected = once(socket, 'disconnect')
  socket.disconnect()
  assert.deepEqual(await disconnected, ['io client disconnect'])
})
