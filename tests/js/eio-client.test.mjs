// Profile eio-client, line by line, and the official client that is tested with it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Socket } from 'engine.io-client'
import { testEachWay } from './support/client.mjs'
import { collect, once } from './support/events.mjs'
import { openFrames, refusal } from './support/frames.mjs'
import { openPolling, request, UNKNOWN_SID } from './support/polling.mjs'
import { differs, serve } from './support/server.mjs'

const server = await serve('eio-client')
const polling = server.httpUrl('EIO=4&transport=polling')
const webSocket = server.webSocketUrl('EIO=4&transport=websocket')

/** A session by hand that has had its greeting. */
async function greeted() {
  const session = await openPolling(server)
  assert.deepEqual(await session.poll(), ['4hi'])
  return session
}

async function greetedFrames(t) {
  const frames = openFrames(t, webSocket)
  assert.match(await frames.next(), /^0\{/)
  assert.equal(await frames.next(), '4hi')
  return frames
}

/** The official client after its greeting, and after the upgrade if there is to be one. */
async function connect(t, way, options = {}) {
  const socket = new Socket(server.origin, {
    path: server.path,
    transports: way.transports,
    ...options,
  })
  t.after(() => socket.close())
  const upgraded = way.upgrades && once(socket, 'upgrade')
  assert.deepEqual(await once(socket, 'message'), ['hi'])
  await upgraded
  return socket
}

test('HS-02 the handshake names pings every 500 ms and 100 bytes', async () => {
  const { handshake } = await openPolling(server)
  const { pingInterval, pingTimeout, maxPayload } = handshake
  assert.deepEqual([pingInterval, pingTimeout, maxPayload], [500, 20_000, 100])
})

test('CK-06 four cookies come with the polling handshake, and with nothing else', async (t) => {
  const { headers, body } = await request(polling)
  const cookies = headers.getSetCookie()
  const expires = /^4=4; Expires=(.*)$/.exec(cookies.pop())[1]
  assert.deepEqual(cookies, [
    '1=1; Max-Age=86400',
    '2=2; Path=/; HttpOnly; Secure; SameSite=Strict',
    '3=3; Max-Age=0',
  ])
  assert.equal(expires, new Date(expires).toUTCString())
  assert.ok(Date.parse(expires) <= Date.now())
  const { sid } = JSON.parse(body.slice(1))
  const later = await request(`${polling}&sid=${sid}`)
  assert.deepEqual([later.body, later.headers.getSetCookie()], ['4hi', []])
  const frames = openFrames(t, webSocket)
  const [response] = await once(frames.socket, 'upgrade')
  assert.equal(response.headers['set-cookie'], undefined)
})

test('HS-15 deny: 403 by polling, no upgrade by WebSocket', async (t) => {
  for (const query of ['deny', 'deny=1']) {
    const { status, body } = await request(`${polling}&${query}`)
    assert.deepEqual([status, body], [403, { code: 4, message: 'Forbidden' }])
    const { status: refused } = await refusal(t, `${webSocket}&${query}`)
    assert.equal(refused, differs({ ours: 403, reference: 400 }))
  }
})

test('HS-08 an unknown sid is answered in these very words', async () => {
  const response = await fetch(`${polling}&sid=abc`)
  assert.equal(response.status, 400)
  assert.equal(await response.text(), JSON.stringify(UNKNOWN_SID))
})

for (const [sent, received] of [
  ['4text', '4text'],
  ['4пойду', '4пойду'],
  ['bAAEC', 'bAAEC'],
  ['4give binary', 'bAAECAwQ='],
  ['4give utf8', '4пойду спать всем спокойной ночи'],
]) {
  test(`${sent} is answered ${received}`, async () => {
    const session = await greeted()
    await session.post(sent)
    assert.deepEqual(await session.poll(), [received])
  })
}

test('text and binary are echoed by WebSocket', async (t) => {
  const frames = await greetedFrames(t)
  frames.send('4пойду')
  frames.send(Buffer.from([0, 1, 2]))
  assert.deepEqual(await frames.take(2), ['4пойду', Buffer.from([0, 1, 2])])
})

test('sendHeaders gives the headers of the POST that carried it', async () => {
  const session = await greeted()
  await session.post('4first', { 'X-Number': '1' })
  assert.deepEqual(await session.poll(), ['4first'])
  await session.post('4sendHeaders', { 'X-Number': '2' })
  const [packet] = await session.poll()
  const headers = JSON.parse(packet.slice(1))
  assert.deepEqual([headers['x-number'], headers['content-length']], ['2', '12'])
})

test('no second greeting comes after the upgrade', async (t) => {
  const session = await greeted()
  const frames = openFrames(t, session.webSocketUrl)
  await frames.opened()
  frames.send('2probe')
  assert.equal(await frames.next(), '3probe')
  frames.send('5')
  frames.send('4echo')
  assert.equal(await frames.next(), '4echo')
})

test('PL-01 PL-02 a POST of 100 bytes passes, one more is answered 413, empty', async () => {
  const session = await greeted()
  const largest = `4${'a'.repeat(99)}`
  assert.equal((await session.post(largest)).body, 'ok')
  assert.deepEqual(await session.poll(), [largest])
  const refused = await session.post(`${largest}a`)
  assert.deepEqual([refused.status, refused.body], [413, ''])
})

test('PL-04 CL-19 a frame of 100 bytes passes, one more is closed with 1009', async (t) => {
  for (const [largest, more] of [
    [`4${'a'.repeat(99)}`, `4${'a'.repeat(100)}`],
    [Buffer.alloc(100), Buffer.alloc(101)],
  ]) {
    const frames = await greetedFrames(t)
    frames.send(largest)
    assert.deepEqual(await frames.next(), largest)
    frames.send(more)
    assert.deepEqual(await frames.end(), { code: 1009, reason: '' })
  }
})

testEachWay('the official client: texts and binary come back in order', async (t, way) => {
  const socket = await connect(t, way)
  const sent = ['text', 'пойду спать', Buffer.from([0, 1, 2, 0xff]), 'last']
  const echoed = collect(socket, 'message', sent.length)
  sent.forEach((message) => socket.send(message))
  assert.deepEqual((await echoed).flat(), sent)
})

test('the official client: messages in the middle of the upgrade come back in order', async (t) => {
  const socket = new Socket(server.origin, { path: server.path })
  t.after(() => socket.close())
  const upgraded = once(socket, 'upgrade')
  assert.deepEqual(await once(socket, 'message'), ['hi'])
  const sent = Array.from({ length: 200 }, (_, i) => (i % 3 ? `${i}` : Buffer.from(`${i}`)))
  const echoed = collect(socket, 'message', sent.length)
  sent.forEach((message) => socket.send(message))
  await upgraded
  assert.deepEqual((await echoed).flat(), sent)
})

test('the official client: cookies come back, but those that are over', async (t) => {
  const way = { transports: ['polling'] }
  const socket = await connect(t, way, { withCredentials: true })
  const answered = once(socket, 'message')
  socket.send('sendHeaders')
  assert.equal(JSON.parse((await answered)[0]).cookie, '1=1; 2=2')
})

test('the official client: its own headers arrive', async (t) => {
  const way = { transports: ['polling'] }
  const socket = await connect(t, way, { extraHeaders: { 'X-Own': 'пойду'.length.toString() } })
  const answered = once(socket, 'message')
  socket.send('sendHeaders')
  assert.equal(JSON.parse((await answered)[0])['x-own'], '5')
})

test('the official client: deny is an error of its transport', async (t) => {
  for (const [transport, description] of [
    ['polling', 403],
    ['websocket', undefined],
  ]) {
    const socket = new Socket(server.origin, {
      path: server.path,
      transports: [transport],
      query: { deny: 1 },
    })
    t.after(() => socket.close())
    const [error] = await once(socket, 'error')
    assert.equal(error.type, 'TransportError')
    if (description) assert.equal(error.description, description)
  }
})

testEachWay('the official client: more than 100 bytes end the connection', async (t, way) => {
  const socket = await connect(t, way)
  const closed = once(socket, 'close')
  socket.send('a'.repeat(100))
  const [reason, details] = await closed
  if (way.name === 'polling') {
    assert.deepEqual([reason, details.description], ['transport error', 413])
  } else {
    assert.deepEqual([reason, details.context.code], ['transport close', 1009])
  }
})
