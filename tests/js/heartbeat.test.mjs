// Pings of the server, and what becomes of clients that do not answer (profile eio).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { openFrames } from './support/frames.mjs'
import { openPolling, request, SEPARATOR, UNKNOWN_SID } from './support/polling.mjs'
import { serve } from './support/server.mjs'

const server = await serve('eio')

const INTERVAL = 300
const TIMEOUT = 200
// Timers of the server and the clock of the test start a little apart.
const EARLY = 20

const websocket = server.webSocketUrl('EIO=4&transport=websocket')

/** Milliseconds until `promise` is settled, with what it became. */
async function timed(promise) {
  const start = performance.now()
  const value = await promise
  return { elapsed: performance.now() - start, value }
}

function atLeast(elapsed, expected) {
  assert.ok(elapsed >= expected - EARLY, `after ${elapsed} ms, expected ${expected}`)
}

test('HB-01 over websocket the first ping comes one interval after the handshake', async (t) => {
  const frames = openFrames(t, websocket, { heartbeat: false })
  await frames.next()
  const { elapsed, value } = await timed(frames.next())
  assert.equal(value, '2')
  atLeast(elapsed, INTERVAL)
})

test('HB-01 over polling the first ping comes one interval after the handshake', async () => {
  const session = await openPolling(server)
  const { elapsed, value } = await timed(session.get())
  assert.equal(value.body, '2')
  atLeast(elapsed, INTERVAL)
})

test('HB-02 each pong is followed by a ping one interval later', async (t) => {
  const frames = openFrames(t, websocket, { heartbeat: false })
  await frames.next()
  assert.equal(await frames.next(), '2')
  for (let i = 0; i < 3; i++) {
    frames.send('3')
    const { elapsed, value } = await timed(frames.next())
    assert.equal(value, '2')
    atLeast(elapsed, INTERVAL)
  }
})

test('HB-03 HB-04 HB-10 a websocket without a pong is closed after the timeout', async (t) => {
  const frames = openFrames(t, websocket, { heartbeat: false })
  await frames.next()
  const { elapsed } = await timed(frames.end())
  assert.deepEqual(frames.pending, ['2'])
  atLeast(elapsed, INTERVAL + TIMEOUT)
})

test('HB-05 after a good heartbeat the timeout is an interval further away', async (t) => {
  const frames = openFrames(t, websocket, { heartbeat: false })
  await frames.next()
  assert.equal(await frames.next(), '2')
  frames.send('3')
  const { elapsed } = await timed(frames.end())
  atLeast(elapsed, INTERVAL + TIMEOUT)
})

test('HB-03 B9 a poll without a pong is told to close, the session is gone', async () => {
  const session = await openPolling(server)
  assert.equal((await session.get()).body, '2')
  const { elapsed, value } = await timed(session.get())
  assert.equal(value.body, '1')
  atLeast(elapsed, TIMEOUT)
  const { status, body } = await session.get()
  assert.deepEqual([status, body], [400, UNKNOWN_SID])
})

test('HB-09 a session that never polls is gone after interval and timeout', async () => {
  const session = await openPolling(server)
  // Nothing is sent to a client that never asks: only time can tell.
  await setTimeout(INTERVAL + TIMEOUT + 200)
  const { status, body } = await session.post('4a')
  assert.deepEqual([status, body], [400, UNKNOWN_SID])
})

test('HB-16 the first message while a pong is due restarts the timeout, later ones do not', async (t) => {
  const frames = openFrames(t, websocket, { heartbeat: false })
  await frames.next()
  assert.equal(await frames.next(), '2')
  const talk = setInterval(() => frames.send('4still here'), TIMEOUT / 2)
  t.after(() => clearInterval(talk))
  const { elapsed } = await timed(frames.end())
  atLeast(elapsed, TIMEOUT / 2 + TIMEOUT)
})

test('HB-11 an upgraded session outlives the timeout of its old transport', async (t) => {
  const session = await openPolling(server)
  const frames = openFrames(t, session.webSocketUrl, { heartbeat: false })
  await frames.opened()
  frames.send('2probe')
  assert.equal(await frames.next(), '3probe')
  frames.send('5')
  for (let i = 0; i < 3; i++) {
    assert.equal(await frames.next(), '2')
    frames.send('3')
  }
  frames.send('4alive')
  assert.equal(await frames.next(), '4alive')
})

test('G3 pongs nobody asked for do no harm', async (t) => {
  const frames = openFrames(t, websocket)
  await frames.next()
  for (let i = 0; i < 20; i++) {
    frames.send('3')
  }
  frames.send('4alive')
  assert.equal(await frames.next(), '4alive')
})

test('a polling client that answers pings stays for several intervals', async () => {
  const session = await openPolling(server)
  let pings = 0
  while (pings < 4) {
    const { body } = await session.get()
    const packets = body.split(SEPARATOR)
    assert.deepEqual(packets, ['2'])
    pings += 1
    await session.post('3')
  }
  await session.post('4alive')
  assert.deepEqual(await session.poll(), ['4alive'])
})

test('the server answers others while one client is silent', async (t) => {
  const silent = openFrames(t, websocket, { heartbeat: false })
  await silent.next()
  const { status } = await request(server.httpUrl('EIO=4&transport=polling'))
  assert.equal(status, 200)
  await silent.end()
})
