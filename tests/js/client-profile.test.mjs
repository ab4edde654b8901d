// Profile sio-client, which the client's own tests are pointed at: it says what it should.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, join, manage, open, testEachWay, websocket, withoutOffset } from './support/client.mjs'
import { collect, once, record } from './support/events.mjs'
import { serve } from './support/server.mjs'

const server = await serve('sio-client')

const ask = (socket, ...args) => socket.timeout(30_000).emitWithAck(...args)
const fence = (socket) => ask(socket, 'echo', 'fence')

const answers = [
  ['hi', [], [['hi']]],
  ['false', [], [['false', false]]],
  ['doge', [], [['doge', Buffer.from('asdfasdf')]]],
  ['getbin', [], [['takebin', Buffer.from('asdfasdf')]]],
  [
    'getUtf8',
    [],
    ['てすと', 'Я Б Г Д Ж Й', 'Ä ä Ü ü ß', 'utf8 — string', 'utf8 — string'].map((text) => [
      'takeUtf8',
      text,
    ]),
  ],
  ['buffa', [Buffer.from('a')], [['buffack']]],
  ['buffa', ['a'], []],
  [
    'jsonbuff',
    [{ hello: 'lol', message: Buffer.from('howdy'), goodbye: 'gotcha' }],
    [['jsonbuff-ack']],
  ],
  ['jsonbuff', [{ hello: 'lol', message: 'howdy', goodbye: 'gotcha' }], []],
  ['abuff2', ['too early'], []],
  ['unknown', ['x'], []],
]

for (const [event, args, expected] of answers) {
  testEachWay(`${event} ${JSON.stringify(args).slice(0, 40)}`, async (t, way) => {
    const socket = await connect(t, server, way)
    const heard = []
    socket.onAny((...received) => heard.push(withoutOffset(received)))
    socket.emit(event, ...args)
    await fence(socket)
    assert.deepEqual(heard, expected)
  })
}

testEachWay('abuff2 behind abuff1', async (t, way) => {
  const socket = await connect(t, server, way)
  const heard = record(socket, 'abuff2-ack')
  socket.emit('abuff1', Buffer.from('a'))
  socket.emit('abuff2', 'b')
  await fence(socket)
  assert.deepEqual(heard.map(withoutOffset), [[]])
})

testEachWay('acks and dates', async (t, way) => {
  const socket = await connect(t, server, way)
  for (const arg of [null, 'é', { a: [1] }, Buffer.from('a')]) {
    assert.deepEqual(await ask(socket, 'echo', arg), arg)
  }
  assert.equal(await ask(socket, 'getId'), socket.id)
  assert.notEqual(socket.id, socket.io.engine.id)
  const dates = [once(socket, 'takeDate'), once(socket, 'takeDateObj')]
  socket.emit('getDate')
  socket.emit('getDateObj')
  const [[date], [{ date: inObject }]] = await Promise.all(dates)
  for (const text of [date, inObject, await ask(socket, 'getAckDate', { test: true })]) {
    assert.equal(new Date(text).toISOString(), text)
    assert.ok(Math.abs(Date.now() - new Date(text)) < 60_000, text)
  }
})

testEachWay('ack', async (t, way) => {
  const socket = await connect(t, server, way)
  const answers = [
    [5, { test: false }],
    [4, { test: true }],
    [5, { test: true }],
  ]
  const heard = record(socket, 'got it')
  const right = once(socket, 'got it')
  const asked = collect(socket, 'ack', answers.length)
  answers.forEach(() => socket.emit('ack'))
  ;(await asked).forEach(([answer], i) => answer(...answers[i]))
  // A handler that waited goes on in its own time: a round trip alone does not tell that it has.
  await right
  await fence(socket)
  assert.deepEqual(heard.map(withoutOffset), [[]])
})

testEachWay('namespaces', async (t, way) => {
  const manager = manage(server, way, { query: { key: '& é=?' } })
  const main = join(t, manager, '/')
  const abc = join(t, manager, '/abc', { auth: { token: 'x' } })
  const foo = join(t, manager, '/foo')
  const [{ query, auth }] = await once(abc, 'handshake')
  assert.deepEqual([query.key, query.EIO, auth], ['& é=?', '4', { token: 'x' }])
  assert.deepEqual(await ask(main, 'getHandshake'), { query, auth: {} })
  assert.equal(await ask(foo, 'getId'), foo.id)
  for (const name of ['/timeout_socket', '/valid', '/asd']) {
    await once(join(t, manager, name), 'connect')
  }
  const refusals = { '/no': 'Auth failed (custom namespace)' }
  for (const name of ['/timeout', '/invalid', '/bar', '/room1', '/room2']) {
    refusals[name] = 'Invalid namespace'
  }
  for (const [name, message] of Object.entries(refusals)) {
    const [error] = await once(join(t, manager, name), 'connect_error')
    assert.equal(error.message, message)
  }
})

test('a query with fail is refused', async (t) => {
  const [error] = await once(open(t, server, websocket, { query: { fail: '1' } }), 'connect_error')
  assert.equal(error.message, 'Auth failed (main namespace)')
})

test('handshakes are held back', async () => {
  for (let i = 0; i < 5; i++) {
    const since = performance.now()
    await (await fetch(server.httpUrl('EIO=4&transport=polling'))).text()
    assert.ok(performance.now() - since >= 9)
  }
})
