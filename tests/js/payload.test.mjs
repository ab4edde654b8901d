// Payloads of a megabyte and more, each way, on each transport.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { connect, echo, testEachWay } from './support/client.mjs'
import { once } from './support/events.mjs'
import { serve } from './support/server.mjs'

const server = await serve('smoke')

const MEGABYTE = 1_000_000
const LIMIT = 10_000_000

const binary = Buffer.alloc(MEGABYTE)
for (let i = 0; i < MEGABYTE; i++) {
  binary[i] = (i * 31 + (i >> 8)) & 0xff
}

const texts = {
  'ASCII': 'abcdefghij'.repeat(MEGABYTE / 10),
  'multibyte text': '朝辞白帝🎉'.repeat(MEGABYTE / 16),
  'text that JSON escapes': '"\\\n\u2028\x1e'.repeat(MEGABYTE / 10),
}

// A failed comparison of megabytes must not print them.
function digest(value) {
  return createHash('sha256').update(value).digest('hex')
}

for (const [name, text] of Object.entries(texts)) {
  testEachWay(`EV-06 1 MB of ${name} goes back and forth three times`, async (t, way) => {
    const socket = await connect(t, server, way)
    let travelling = text
    for (let i = 0; i < 3; i++) {
      ;[travelling] = await echo(socket, travelling)
    }
    assert.equal(digest(travelling), digest(text))
  })
}

testEachWay('EV-06 1 MB of binary goes back and forth three times', async (t, way) => {
  const socket = await connect(t, server, way)
  let travelling = binary
  for (let i = 0; i < 3; i++) {
    ;[travelling] = await echo(socket, travelling)
  }
  assert.ok(Buffer.isBuffer(travelling))
  assert.equal(digest(travelling), digest(binary))
})

testEachWay('1 MB of JSON with 10,000 objects comes back', async (t, way) => {
  const socket = await connect(t, server, way)
  const list = Array.from({ length: 10_000 }, (_, i) => ({ id: i, name: `name ${i}`, tags: [i] }))
  const [received] = await echo(socket, list)
  assert.deepEqual(received, list)
})

testEachWay('four attachments of 1 MB next to 1 MB of text keep their places', async (t, way) => {
  const socket = await connect(t, server, way)
  const parts = [0, 1, 2, 3].map((i) => Buffer.concat([Buffer.from([i]), binary]))
  const received = await echo(socket, parts[0], [parts[1]], texts.ASCII, { c: parts[2] }, parts[3])
  const [first, [second], text, { c }, last] = received
  assert.deepEqual([first, second, c, last].map(digest), parts.map(digest))
  assert.equal(digest(text), digest(texts.ASCII))
})

testEachWay('1 MB is acknowledged with 1 MB', async (t, way) => {
  const socket = await connect(t, server, way)
  const [text, bytes] = await new Promise((resolve) => {
    socket.emit('ack-me', texts.ASCII, binary, (...values) => resolve(values))
  })
  assert.equal(digest(text), digest(texts.ASCII))
  assert.equal(digest(bytes), digest(binary))
})

testEachWay('PL-07 9 MB pass where 10 MB are allowed', async (t, way) => {
  const socket = await connect(t, server, way)
  const text = 'x'.repeat(9 * MEGABYTE)
  assert.equal(digest((await echo(socket, text))[0]), digest(text))
})

testEachWay('more than is allowed ends the connection', async (t, way) => {
  const socket = await connect(t, server, way)
  const disconnected = once(socket, 'disconnect')
  socket.emit('echo', 'x'.repeat(LIMIT))
  const [reason] = await disconnected
  assert.match(reason, /^transport (close|error)$/)
})
