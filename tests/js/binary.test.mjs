// Binary of every kind arrives as binary, byte for byte and in its place.

import assert from 'node:assert/strict'
import { comparable, connect, echo, testEachWay } from './support/client.mjs'
import { once } from './support/events.mjs'
import { serve } from './support/server.mjs'

const server = await serve('smoke')

const allBytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
const { buffer: surrounding } = new Uint8Array([0, 1, 2, 3, 4, 5])

const rows = {
  'TR-23 a Buffer with every byte': [allBytes],
  'TR-23 a Uint8Array': [new Uint8Array([1, 2, 3])],
  'TR-23 a part of an ArrayBuffer': [new Uint8Array(surrounding, 2, 3)],
  'TR-23 an ArrayBuffer': [surrounding],
  'TR-23 a DataView': [new DataView(surrounding, 1, 2)],
  'TR-23 a Float64Array': [new Float64Array([Math.PI, -0, NaN])],
  'an empty Buffer': [Buffer.alloc(0)],
  'bytes that are no UTF-8': [Buffer.from([0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80])],
  'bytes that look like a packet': [Buffer.from('42["echo"]')],
  'EV-03 a Buffer in an object': [{ a: { b: allBytes } }],
  'EV-03 a Buffer in an array': [[[allBytes]]],
  'EV-03 a Buffer between texts': ['before', allBytes, 'after'],
  'EV-03 several Buffers, empty ones among them': [
    Buffer.from('a'),
    Buffer.alloc(0),
    { b: Buffer.from('b'), c: [Buffer.from('c'), null, 1, 'text'] },
    Buffer.alloc(0),
  ],
  'EV-03 the same Buffer twice': [allBytes, { again: allBytes }],
  'PL-06 ten attachments': Array.from({ length: 10 }, (_, i) => Buffer.alloc(i, i)),
  'EV-03 multibyte text next to a Buffer': ['朝辞白帝 🎉 \u2028', allBytes, { ключ: 'значение' }],
}

for (const [name, args] of Object.entries(rows)) {
  testEachWay(`${name} is echoed`, async (t, way) => {
    const socket = await connect(t, server, way)
    assert.deepEqual(comparable(await echo(socket, ...args)), comparable(args))
  })
}

// Where the length field of a WebSocket frame changes its size, and where base64 changes its padding.
const lengths = [1, 2, 3, 4, 125, 126, 127, 65_535, 65_536, 65_537]

testEachWay('Buffers of lengths at the edges are echoed', async (t, way) => {
  const socket = await connect(t, server, way)
  for (const length of lengths) {
    const bytes = Buffer.alloc(length, 'abc')
    const [received] = await echo(socket, bytes)
    assert.ok(bytes.equals(received), `${length} bytes`)
  }
})

testEachWay('what arrives is a Buffer, not text', async (t, way) => {
  const socket = await connect(t, server, way)
  const [top, { within }] = await echo(socket, allBytes, { within: allBytes })
  assert.ok(Buffer.isBuffer(top))
  assert.ok(Buffer.isBuffer(within))
})

testEachWay('PL-06 eleven attachments end the connection', async (t, way) => {
  const socket = await connect(t, server, way)
  const disconnected = once(socket, 'disconnect')
  socket.emit('echo', ...Array.from({ length: 11 }, () => Buffer.alloc(1)))
  const [reason] = await disconnected
  assert.equal(reason, 'transport close')
})
