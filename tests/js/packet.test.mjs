// Socket.IO packets, spoken by hand, literal bytes on both sides (profile sio).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openFrames } from './support/frames.mjs'
import { openPolling, request, SEPARATOR, UNKNOWN_SID } from './support/polling.mjs'
import { differs, isReference, serve } from './support/server.mjs'

const QUERY = 'EIO=4&transport=websocket'
// How long a client has to join: longer than this machine may pause before a test does what it is to do.
const CONNECT_TIMEOUT = 3000

// No test loses its session when this machine pauses, neither for want of a pong nor of a namespace.
const server = await serve('sio', { env: { PING_TIMEOUT: 5000, CONNECT_TIMEOUT: 30_000 } })
const quick = await serve('sio', { env: { PING_TIMEOUT: 5000, CONNECT_TIMEOUT } })

async function opened(t, at = server) {
  const frames = openFrames(t, at.webSocketUrl(QUERY))
  await frames.next()
  return frames
}

/** A WebSocket that has joined `/`. */
async function joined(t) {
  const frames = await opened(t)
  frames.send('40')
  await frames.take(2)
  return frames
}

test('NS-01 joining / is answered with an id, the auth event follows directly', async (t) => {
  const frames = await opened(t)
  frames.send('40')
  const [answer, auth] = await frames.take(2)
  assert.match(answer, /^40\{"sid":"[\w-]{20,}"\}$/)
  assert.equal(auth, '42["auth",{}]')
})

test('NS-01 over polling the answer and the auth event come in this order', async () => {
  const session = await openPolling(server)
  await session.post('40{"token":"abc"}')
  const [answer, auth] = await session.packets(2)
  assert.match(answer, /^40\{"sid":"[\w-]{20,}"\}$/)
  assert.equal(auth, '42["auth",{"token":"abc"}]')
})

test('NS-02 joining /custom with an auth payload', async (t) => {
  const frames = await opened(t)
  frames.send('40/custom,{"token":"abc"}')
  const [answer, auth] = await frames.take(2)
  assert.match(answer, /^40\/custom,\{"sid":"[\w-]{20,}"\}$/)
  assert.equal(auth, '42/custom,["auth",{"token":"abc"}]')
})

test('NS-01 nothing is joined before the client asks', async (t) => {
  const frames = await opened(t, quick)
  await frames.end()
  assert.deepEqual(frames.pending, [])
})

test('NS-03 an unknown namespace is refused, the connection stays', async (t) => {
  const frames = await opened(t)
  frames.send('40/random,')
  assert.equal(await frames.next(), '44/random,{"message":"Invalid namespace"}')
  frames.send('40/custom,')
  assert.match(await frames.next(), /^40\/custom,/)
})

test('I5 a query after the name of a namespace is part of the name', async (t) => {
  const frames = await opened(t)
  frames.send('40/custom?token=abc,')
  assert.equal(await frames.next(), '44/custom?token=abc,{"message":"Invalid namespace"}')
})

test('NS-05 both namespaces over one connection', async (t) => {
  const frames = await joined(t)
  frames.send('40/custom,')
  await frames.take(2)
  frames.send('42/custom,["message","custom"]')
  frames.send('42["message","main"]')
  assert.deepEqual(await frames.take(2), [
    '42/custom,["message-back","custom"]',
    '42["message-back","main"]',
  ])
})

test('I11 an event in the payload of its CONNECT is handled by ours', async () => {
  const session = await openPolling(server)
  await session.post(['40', '42["message",1]'].join(SEPARATOR))
  if (isReference) {
    assert.deepEqual(await session.poll(), ['6', '1'])
  } else {
    const [, ...events] = await session.packets(3)
    assert.deepEqual(events, ['42["auth",{}]', '42["message-back",1]'])
  }
})

test('NS-09 after leaving a namespace it can be joined again', async (t) => {
  const frames = await joined(t)
  frames.send('40/custom,')
  await frames.take(2)
  frames.send('41')
  // The official server closes a connection that leaves and joins within one batch of packets.
  frames.send('42/custom,["message","left"]')
  assert.equal(await frames.next(), '42/custom,["message-back","left"]')
  frames.send('40')
  assert.match(await frames.next(), /^40\{"sid":/)
})

for (const [name, sent, expected] of [
  ['EV-01 an event', '42["message",1,"2",{"3":[true]}]', '42["message-back",1,"2",{"3":[true]}]'],
  ['EV-01 an event without arguments', '42["message"]', '42["message-back"]'],
  ['EV-02 null', '42["message",null]', '42["message-back",null]'],
  ['AK-01 an acknowledgement', '42456["message-with-ack",1,"2"]', '43456[1,"2"]'],
  ['AK-01 an empty acknowledgement', '427["message-with-ack"]', '437[]'],
  ['AK-01 acknowledgement number 0', '420["message-with-ack"]', '430[]'],
]) {
  test(name, async (t) => {
    const frames = await joined(t)
    frames.send(sent)
    assert.equal(await frames.next(), expected)
  })
}

test('EV-03 an event with attachments', async (t) => {
  const frames = await joined(t)
  const parts = [Buffer.from([1, 2, 3]), Buffer.from([4, 5])]
  frames.send('452-["message",{"_placeholder":true,"num":0},{"a":[{"_placeholder":true,"num":1}]}]')
  parts.forEach((part) => frames.send(part))
  assert.deepEqual(await frames.take(3), [
    '452-["message-back",{"_placeholder":true,"num":0},{"a":[{"_placeholder":true,"num":1}]}]',
    ...parts,
  ])
})

test('EV-03 an event with attachments over polling', async () => {
  const session = await openPolling(server)
  await session.post('40')
  await session.packets(2)
  const packets = ['451-["message",{"_placeholder":true,"num":0}]', 'bAQIDBA==']
  await session.post(packets.join(SEPARATOR))
  assert.deepEqual(await session.packets(2), [
    '451-["message-back",{"_placeholder":true,"num":0}]',
    'bAQIDBA==',
  ])
})

test('AK-02 an acknowledgement with an attachment, in a namespace', async (t) => {
  const frames = await opened(t)
  frames.send('40/custom,')
  await frames.take(2)
  frames.send('451-/custom,789["message-with-ack",{"_placeholder":true,"num":0}]')
  frames.send(Buffer.from([1, 2]))
  assert.deepEqual(await frames.take(2), [
    '461-/custom,789[{"_placeholder":true,"num":0}]',
    Buffer.from([1, 2]),
  ])
})

test('AK-04 a question of the server carries an id, the reply comes back', async (t) => {
  const frames = await joined(t)
  frames.send('42["emit-with-ack",1,"2"]')
  const [, id] = (await frames.next()).match(/^42(\d+)\["emit-with-ack",1,"2"\]$/)
  frames.send(`43${id}["reply",null]`)
  assert.equal(await frames.next(), '42["emit-with-ack","reply",null]')
})

test('AK-03 a second reply to a question is ignored', async (t) => {
  const frames = await joined(t)
  frames.send('42["emit-with-ack"]')
  const [, id] = (await frames.next()).match(/^42(\d+)\["emit-with-ack"\]$/)
  frames.send(`43${id}["first"]`)
  assert.equal(await frames.next(), '42["emit-with-ack","first"]')
  frames.send(`43${id}["second"]`)
  frames.send('42["message","alive"]')
  assert.equal(await frames.next(), '42["message-back","alive"]')
})

test('AK-02 the reply to a question may be binary', async (t) => {
  const frames = await joined(t)
  frames.send('42["emit-with-ack"]')
  const [, id] = (await frames.next()).match(/^42(\d+)\["emit-with-ack"\]$/)
  frames.send(`461-${id}[{"_placeholder":true,"num":0}]`)
  frames.send(Buffer.from([9]))
  assert.deepEqual(await frames.take(2), [
    '451-["emit-with-ack",{"_placeholder":true,"num":0}]',
    Buffer.from([9]),
  ])
})

test('K5 an integer past the safe ones: ours forwards it as it was written', async (t) => {
  const frames = await joined(t)
  frames.send('42["message",9007199254740993,1e999]')
  const expected = differs({ ours: '9007199254740993,1e999', reference: '9007199254740992,null' })
  assert.equal(await frames.next(), `42["message-back",${expected}]`)
})

test('NS-04 who joins no namespace is closed after the timeout', async (t) => {
  const start = performance.now()
  const frames = await opened(t, quick)
  assert.deepEqual(await frames.end(), { code: 1005, reason: '' })
  assert.ok(performance.now() - start > CONNECT_TIMEOUT - 100)
})

test('NS-04 who is refused every namespace is closed after the timeout', async (t) => {
  const frames = await opened(t, quick)
  frames.send('40/random,')
  await frames.next()
  await frames.end()
})

test('NS-04 over polling, too', async () => {
  const session = await openPolling(quick)
  // Between two GETs the close waits for the next one, behind a noop.
  const packets = (await session.poll()).filter((packet) => packet !== '6')
  assert.deepEqual(packets, ['1'])
  const { status, body } = await request(session.url)
  assert.deepEqual([status, body], [400, UNKNOWN_SID])
})
