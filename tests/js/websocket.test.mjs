// The WebSocket transport, spoken by hand (profile eio: every message is echoed).

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { exchange } from './support/bytes.mjs'
import { once } from './support/events.mjs'
import { openFrames } from './support/frames.mjs'
import { request } from './support/polling.mjs'
import { differs, isReference, serve } from './support/server.mjs'

// Pings come often, but no test loses its session when this machine pauses.
const server = await serve('eio', { env: { PING_TIMEOUT: 5000 } })
const url = server.webSocketUrl('EIO=4&transport=websocket')

async function opened(t) {
  const frames = openFrames(t, url)
  await frames.next()
  return frames
}

const echoed = {
  'TR-04 a text message': '4hello',
  'an empty text message': '4',
  'TR-21 multibyte text': '4朝辞白帝 € 🎉 \u2028 \ue000 \0 \u{10ffff}',
  'the separator of polling payloads': '4a\x1eb',
  'TR-04 binary, without a type byte': Buffer.from([0, 1, 4, 0x34, 0xff]),
  'an empty binary message': Buffer.alloc(0),
}

for (const [name, frame] of Object.entries(echoed)) {
  test(`${name}: echoed`, async (t) => {
    const frames = await opened(t)
    frames.send(frame)
    assert.deepEqual(await frames.next(), frame)
  })
}

test('G6 base64 in a text frame is a binary message', async (t) => {
  const frames = await opened(t)
  frames.send('bAQIDBA==')
  assert.deepEqual(await frames.next(), Buffer.from([1, 2, 3, 4]))
})

test('messages of both kinds keep their order', async (t) => {
  const frames = await opened(t)
  const sent = Array.from({ length: 500 }, (_, i) => (i % 3 ? `4${i}` : Buffer.from([i & 0xff])))
  sent.forEach((frame) => frames.send(frame))
  assert.deepEqual(await frames.take(sent.length), sent)
})

test('F7 a fragmented message is put together, cut within a character', async (t) => {
  const frames = await opened(t)
  const bytes = Buffer.from('4朝🎉')
  for (let i = 0; i < bytes.length; i++) {
    frames.socket.send(bytes.subarray(i, i + 1), {
      binary: false,
      fin: i === bytes.length - 1,
    })
  }
  assert.equal(await frames.next(), '4朝🎉')
})

test('F17 a WebSocket ping is answered with its own payload', async (t) => {
  const frames = await opened(t)
  const answered = once(frames.socket, 'pong')
  const payload = randomBytes(125)
  frames.socket.ping(payload)
  assert.deepEqual((await answered)[0], payload)
})

test('C3 packets without a meaning here are ignored', async (t) => {
  const frames = await opened(t)
  for (const packet of ['0', '5', '6', '3']) {
    frames.send(packet)
  }
  frames.send('4alive')
  assert.equal(await frames.next(), '4alive')
})

for (const [name, frame] of Object.entries({
  'TR-16 a packet of an unknown type': 'x',
  'TR-16 a digit that is no type': '9',
  'F19 an empty text frame': '',
  'HB-07 a ping of the client': '2',
})) {
  test(`${name} ends the connection with an empty close frame`, async (t) => {
    const frames = await opened(t)
    frames.send(frame)
    assert.deepEqual(await frames.end(), { code: 1005, reason: '' })
  })
}

test('CL-06 the close packet ends the connection', async (t) => {
  // The official server ignores it: there only the unanswered ping ends the connection.
  const frames = openFrames(t, url, { heartbeat: !isReference })
  await frames.next()
  frames.send('1')
  assert.deepEqual(await frames.end(), { code: 1005, reason: '' })
})

for (const [name, code] of [
  ['with a code', 1000],
  ['without a code', undefined],
]) {
  test(`CL-06 a close frame ${name} is answered in kind`, async (t) => {
    const frames = await opened(t)
    frames.socket.close(code)
    assert.equal((await frames.end()).code, code ?? 1005)
  })
}

test('F6 a text frame that is no UTF-8 is closed with 1007', async (t) => {
  const frames = await opened(t)
  frames.socket.send(Buffer.from([0x34, 0xff]), { binary: false })
  assert.equal((await frames.end()).code, 1007)
})

for (const [name, frame] of [
  ['text', `4${'a'.repeat(999_999)}`],
  ['binary', Buffer.alloc(1_000_000, 1)],
]) {
  test(`PL-04 ${name} of exactly the limit is echoed`, async (t) => {
    const frames = await opened(t)
    frames.send(frame)
    const echo = await frames.next()
    assert.ok(Buffer.from(echo).equals(Buffer.from(frame)))
  })
}

for (const [name, frame] of [
  ['text', `4${'a'.repeat(1_000_000)}`],
  ['binary', Buffer.alloc(1_000_001)],
]) {
  test(`PL-04 CL-19 ${name} over the limit is closed with 1009, no reason`, async (t) => {
    const frames = await opened(t)
    frames.send(frame)
    assert.deepEqual(await frames.end(), { code: 1009, reason: '' })
  })
}

test('F14 PL-04 fragments that add up to more than the limit are closed with 1009', async (t) => {
  const frames = await opened(t)
  for (const fin of [false, false, true]) {
    frames.socket.send(Buffer.alloc(400_000), { binary: true, fin })
  }
  assert.equal((await frames.end()).code, 1009)
})

test('a connection that is cut leaves the server to others', async (t) => {
  const frames = await opened(t)
  frames.socket.terminate()
  await frames.end()
  assert.equal((await request(server.httpUrl('EIO=4&transport=polling'))).status, 200)
})

test('E5 the headers of an upgrade may be written in any case', async () => {
  // The empty frame behind the request is no packet: it ends the connection.
  const answer = await exchange(
    server,
    'EIO=4&transport=websocket',
    [
      'CONNECTION: keep-alive, upgrade',
      'UPGRADE: WebSocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ],
    '\x81\x80\0\0\0\0',
  )
  assert.match(answer, /^HTTP\/1\.1 101 /)
  assert.match(answer, /\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/i)
})

test('E3 a WebSocket of an unknown version is told which to use', async () => {
  const answer = await exchange(server, 'EIO=4&transport=websocket', [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 99',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ])
  assert.match(answer, differs({ ours: /^HTTP\/1\.1 426 /, reference: /^HTTP\/1\.1 400 / }))
  assert.match(answer, /\r\nsec-websocket-version: 13/i)
})
