// The official Engine.IO client of revision 3 (profile eio3: every message is echoed).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Socket } from 'engine.io-client'
import OldSocket from 'engine.io-client-3'
import { testEachWay } from './support/client.mjs'
import { collect, once } from './support/events.mjs'
import { serve } from './support/server.mjs'

// Pings come often, but no client loses its session when this machine pauses.
const INTERVAL = 300
const PING_TIMEOUT = 3000

const server = await serve('eio3', { env: { PING_TIMEOUT } })

async function connect(t, way, options = {}) {
  const socket = new OldSocket(server.origin, { path: server.path, transports: way.transports, ...options })
  t.after(() => socket.close())
  const upgraded = way.upgrades && once(socket, 'upgrade')
  await once(socket, 'open')
  await upgraded
  return socket
}

for (const [name, message] of Object.entries({
  'TR-06 a text': '朝辞白帝 € 🎉 \u2028 \ue000 \0',
  'TR-05 TR-08 binary': Buffer.from([0, 1, 0x1e, 0x34, 0xff]),
})) {
  testEachWay(`${name} comes back`, async (t, way) => {
    const socket = await connect(t, way)
    const echoed = once(socket, 'message')
    socket.send(message)
    assert.deepEqual((await echoed)[0], message)
  })
}

testEachWay('TR-09 texts and binary mixed keep their order', async (t, way) => {
  const socket = await connect(t, way)
  const sent = Array.from({ length: 50 }, (_, i) => (i % 3 ? `${i} €🎉` : Buffer.from([i])))
  const echoed = collect(socket, 'message', sent.length)
  sent.forEach((message) => socket.send(message))
  assert.deepEqual((await echoed).flat(), sent)
})

testEachWay('TR-07 a client that takes no binary gets base64', async (t, way) => {
  const socket = await connect(t, way, { forceBase64: true })
  const echoed = once(socket, 'message')
  socket.send(Buffer.from([1, 2, 3]))
  const [message] = await echoed
  assert.deepEqual(Buffer.from(message), Buffer.from([1, 2, 3]))
})

testEachWay('HB-06 the client pings, and stays', async (t, way) => {
  const socket = await connect(t, way)
  // For longer than the server waits for a ping.
  await collect(socket, 'pong', (INTERVAL + PING_TIMEOUT) / INTERVAL + 1)
  const echoed = once(socket, 'message')
  socket.send('alive')
  assert.deepEqual(await echoed, ['alive'])
})

test('clients of both revisions share a server', async (t) => {
  const old = await connect(t, { transports: ['polling'] })
  const socket = new Socket(server.origin, { path: server.path })
  t.after(() => socket.close())
  await once(socket, 'open')
  for (const client of [old, socket]) {
    const echoed = once(client, 'message')
    client.send('hello')
    assert.equal((await echoed)[0], 'hello')
  }
})
