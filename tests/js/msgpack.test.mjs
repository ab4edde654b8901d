// The official client with the official MessagePack parser.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import parser from 'socket.io-msgpack-parser'
import {
  comparable,
  connect as connectWith,
  connected,
  echo,
  fence,
  join,
  open as openWith,
  polling,
  testEachWay,
  websocket,
} from './support/client.mjs'
import { once, record } from './support/events.mjs'
import { differs, serve } from './support/server.mjs'

const server = await serve('sio-msgpack')

const open = (t, way, options) => openWith(t, server, way, { parser, ...options })
const connect = (t, way, options) => connectWith(t, server, way, { parser, ...options })

const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
const ids = Array.from({ length: 1000 }, (_, i) => i)

// What comes back as it was sent.
const rows = {
  'no argument': [],
  'EV-02 values of every kind': [null, true, false, 0, -1, 'text', [], {}, [[{}]], { a: { b: [1] } }],
  'whole numbers at the edges of their lengths': [
    31, 32, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, -31, -32, -33, -128, -129, -32_768,
    -32_769, -(2 ** 31), -(2 ** 31) - 1, -(2 ** 53) + 1,
  ],
  'fractions': [0.1, -1.5, 1.5e-300, 5e-324, Math.PI],
  'texts at the edges of their lengths': [0, 31, 32, 255, 256, 65_535, 65_536].map((length) => 'x'.repeat(length)),
  'EV-04 texts of all planes': ['朝辞白帝 🎉 \u2028', '\u0000\u001f"\\\n', 'é', { ключ: 'значение', '': '' }],
  'long lists and large objects': [ids, Object.fromEntries(ids.map((id) => [`key ${id}`, id])), ids.slice(0, 15)],
  'EV-03 a Buffer': [bytes],
  'an empty Buffer': [Buffer.alloc(0)],
  'an ArrayBuffer': [new Uint8Array([1, 2, 3]).buffer],
  'a Uint8Array': [new Uint8Array([4, 5, 6])],
  'EV-03 binary in maps and lists': [{ a: { b: bytes }, c: [[bytes], null, { d: new Uint8Array([1]) }] }, 'text', bytes],
  'Buffers of lengths at the edges': [255, 256, 65_535, 65_536].map((length) => Buffer.alloc(length, 'abc')),
  'ten Buffers': Array.from({ length: 10 }, (_, i) => Buffer.alloc(i, i)),
  'what looks like a placeholder': [{ _placeholder: true, num: 0 }],
}

for (const [name, args] of Object.entries(rows)) {
  testEachWay(`EV-01 ${name} is echoed`, async (t, way) => {
    const socket = await connect(t, way)
    assert.deepEqual(comparable(await echo(socket, ...args)), comparable(args))
  })

  testEachWay(`AK-01 the server acknowledges with ${name}`, async (t, way) => {
    const socket = await connect(t, way)
    const reply = await new Promise((resolve) => {
      socket.emit('ack-me', ...args, (...values) => resolve(values))
    })
    assert.deepEqual(comparable(reply), comparable(args))
  })

  testEachWay(`AK-04 the client acknowledges with ${name}`, async (t, way) => {
    const socket = await connect(t, way)
    socket.once('question', (...question) => question.pop()(...question))
    const answered = once(socket, 'answer')
    socket.emit('ask-ack', ...args)
    assert.deepEqual(comparable(await answered), comparable(args))
  })
}

// What our handlers see as they would with the default parser, and the official ones as it was.
const date = new Date(Date.UTC(2019, 2, 25, 11, 7, 19, 675))
const dialect = {
  'a Date': { sent: [date, { date }], ours: [date.toISOString(), { date: date.toISOString() }] },
  'a Date before 1970': { sent: [new Date(-1)], ours: ['1969-12-31T23:59:59.999Z'] },
  'undefined': { sent: [undefined, 1, [undefined]], ours: [null, 1, [null]] },
  'undefined in an object': { sent: [{ a: undefined, b: 1, c: undefined }], ours: [{ b: 1 }] },
  'what is no number': { sent: [NaN, Infinity, -Infinity], ours: [null, null, null] },
}

for (const [name, { sent, ours }] of Object.entries(dialect)) {
  testEachWay(`EV-02 ${name} is heard`, async (t, way) => {
    const socket = await connect(t, way)
    assert.deepEqual(await echo(socket, ...sent), differs({ ours, reference: sent }))
  })
}

testEachWay('NS-01 NS-02 a CONNECT is answered with an id, with auth and without', async (t, way) => {
  for (const auth of [undefined, { token: 'x', deep: [{ é: 1 }] }]) {
    const socket = await connect(t, way, { auth })
    assert.match(socket.id, /^[\w-]{20}$/)
    const heard = once(socket, 'auth')
    socket.emit('auth')
    assert.deepEqual(await heard, [auth ?? {}])
  }
})

testEachWay('NS-05 several namespaces share a connection', async (t, way) => {
  const root = await connect(t, way)
  const custom = join(t, root.io, '/custom')
  await once(custom, 'connect')
  const strangers = record(root, 'echo')
  assert.deepEqual(await echo(custom, 'custom', bytes), ['custom', bytes])
  await fence(root)
  assert.deepEqual(strangers, [])
  custom.disconnect()
  assert.deepEqual(await echo(root, 'root'), ['root'])
})

testEachWay('NS-03 a namespace refuses, and another one is not there', async (t, way) => {
  const refused = open(t, way, { namespace: '/forbidden' })
  const [error] = await once(refused, 'connect_error')
  assert.deepEqual([error.message, error.data], ['forbidden', { code: 403 }])
  const missing = open(t, way, { namespace: '/nowhere' })
  const [invalid] = await once(missing, 'connect_error')
  assert.equal(invalid.message, 'Invalid namespace')
})

testEachWay('a family of namespaces is joined by auth', async (t, way) => {
  const socket = await connect(t, way, { namespace: '/team-é', auth: { token: 'x' } })
  assert.deepEqual(await echo(socket, 1), [1])
})

testEachWay('RM-01 a broadcast is heard by all members of a room', async (t, way) => {
  const room = `room over ${way.name}`
  const members = await Promise.all([1, 2, 3].map(() => connect(t, way)))
  const outside = await connect(t, websocket)
  const strangers = record(outside, 'msg')
  await Promise.all(members.map((member) => member.emitWithAck('join', room)))
  const heard = members.map((member) => once(member, 'msg'))
  const sent = ['朝辞白帝', { a: [bytes] }]
  members[0].emit('cast', room, ...sent)
  assert.deepEqual(await Promise.all(heard), [sent, sent, sent])
  await fence(outside)
  assert.deepEqual(strangers, [])
})

testEachWay('AK-08 all members of a room are asked at once', async (t, way) => {
  const room = `asked over ${way.name}`
  const members = await Promise.all([1, 2, 3].map(() => connect(t, way)))
  for (const [i, member] of members.entries()) {
    await member.emitWithAck('join', room)
    member.on('question', (ack) => ack(i))
  }
  const answered = once(members[0], 'answers')
  members[0].emit('ask-room', room, 10_000)
  const [complete, answers] = await answered
  assert.deepEqual([complete, answers.sort()], [true, [0, 1, 2]])
})

testEachWay('NS-09 either side disconnects', async (t, way) => {
  const kicked = await connect(t, way)
  const disconnected = once(kicked, 'disconnect')
  kicked.emit('kick')
  assert.deepEqual((await disconnected)[0], 'io server disconnect')
  kicked.connect()
  await connected(kicked, { upgrades: false })
  kicked.disconnect()
  kicked.connect()
  await connected(kicked, { upgrades: false })
  assert.deepEqual(await echo(kicked, 'again'), ['again'])
})

for (const way of [polling, websocket]) {
  test(`a client of the default parser is turned away [${way.name}]`, async (t) => {
    const socket = openWith(t, server, way)
    const [reason] = await once(socket.io, 'close')
    assert.equal(reason, 'transport close')
  })
}

testEachWay('PL-06 eleven binary values end the connection', async (t, way) => {
  const socket = await connect(t, way)
  const heard = once(socket, differs({ ours: 'disconnect', reference: 'echo' }))
  socket.emit('echo', ...Array.from({ length: 11 }, () => Buffer.alloc(1)))
  const [first] = await heard
  assert.deepEqual(first, differs({ ours: 'transport close', reference: Buffer.alloc(1) }))
})
