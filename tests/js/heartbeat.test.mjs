// Pings of the server, and what becomes of clients that do not answer (profile eio).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { openFrames } from './support/frames.mjs'
import { openPolling, request, SEPARATOR, UNKNOWN_SID } from './support/polling.mjs'
import { serve } from './support/server.mjs'

const INTERVAL = 300
const TIMEOUT = 200
// Where a client has to answer in time, or to poll, it may pause for as long.
const PATIENCE = 3000

const server = await serve('eio', { env: { PING_TIMEOUT: TIMEOUT } })
const patient = await serve('eio', { env: { PING_TIMEOUT: PATIENCE } })
const websocket = server.webSocketUrl('EIO=4&transport=websocket')
const patientWebsocket = patient.webSocketUrl('EIO=4&transport=websocket')

// So many pings take longer than a patient server waits for a pong.
const MANY_PINGS = Math.ceil((INTERVAL + PATIENCE) / INTERVAL) + 1

/** Begins before the server does, so that what is measured is never shorter than its timers. */
function stopwatch() {
  const start = performance.now()
  return {
    assertAtLeast(expected) {
      const elapsed = performance.now() - start
      // Timers may be due a millisecond early on either side.
      assert.ok(elapsed >= expected - 2, `after ${elapsed} ms, expected ${expected}`)
    },
  }
}

test('HB-01 over websocket the first ping comes one interval after the handshake', async (t) => {
  const watch = stopwatch()
  const frames = openFrames(t, websocket, { heartbeat: false })
  await frames.next()
  assert.equal(await frames.next(), '2')
  watch.assertAtLeast(INTERVAL)
})

test('HB-01 over polling the first ping comes one interval after the handshake', async () => {
  const watch = stopwatch()
  const session = await openPolling(patient)
  assert.equal((await session.get()).body, '2')
  watch.assertAtLeast(INTERVAL)
})

test('HB-02 each pong is followed by a ping one interval later', async (t) => {
  const frames = openFrames(t, patientWebsocket, { heartbeat: false })
  await frames.next()
  assert.equal(await frames.next(), '2')
  for (let i = 0; i < 3; i++) {
    const watch = stopwatch()
    frames.send('3')
    assert.equal(await frames.next(), '2')
    watch.assertAtLeast(INTERVAL)
  }
})

test('HB-03 HB-04 HB-10 a websocket without a pong is closed after the timeout', async (t) => {
  const watch = stopwatch()
  const frames = openFrames(t, websocket, { heartbeat: false })
  await frames.next()
  await frames.end()
  assert.deepEqual(frames.pending, ['2'])
  watch.assertAtLeast(INTERVAL + TIMEOUT)
})

test('HB-05 after a good heartbeat the timeout is an interval further away', async (t) => {
  const frames = openFrames(t, patientWebsocket, { heartbeat: false })
  await frames.next()
  assert.equal(await frames.next(), '2')
  const watch = stopwatch()
  frames.send('3')
  await frames.end()
  watch.assertAtLeast(INTERVAL + PATIENCE)
})

test('HB-03 B9 a poll without a pong is told to close, the session is gone', async () => {
  const watch = stopwatch()
  const session = await openPolling(patient)
  assert.equal((await session.get()).body, '2')
  assert.equal((await session.get()).body, '1')
  watch.assertAtLeast(INTERVAL + PATIENCE)
  const { status, body } = await session.get()
  assert.deepEqual([status, body], [400, UNKNOWN_SID])
})

test('HB-09 a session that never polls is gone after interval and timeout', async () => {
  const watch = stopwatch()
  const session = await openPolling(server)
  // Nothing is sent to a client that never asks. So it is asked for what is refused, and does the session nothing.
  const { sid } = session.handshake
  const refused = () => request(server.httpUrl(`EIO=4&transport=websocket&sid=${sid}`))
  const deadline = performance.now() + 30_000
  while ((await refused()).body.code !== UNKNOWN_SID.code) {
    assert.ok(performance.now() < deadline, 'it is still there')
    await setTimeout(20)
  }
  watch.assertAtLeast(INTERVAL + TIMEOUT)
  const { status, body } = await session.post('4a')
  assert.deepEqual([status, body], [400, UNKNOWN_SID])
})

test('HB-16 of the messages while a pong is due only the first restarts the timeout', async (t) => {
  const frames = openFrames(t, patientWebsocket, { heartbeat: false })
  await frames.next()
  assert.equal(await frames.next(), '2')
  const watch = stopwatch()
  const pause = PATIENCE / 6
  const talk = setInterval(() => frames.send('4still here'), pause)
  t.after(() => clearInterval(talk))
  await frames.end()
  watch.assertAtLeast(pause + PATIENCE)
})

test('HB-11 an upgraded session outlives the timeout of its old transport', async (t) => {
  const session = await openPolling(patient)
  const frames = openFrames(t, session.webSocketUrl, { heartbeat: false })
  await frames.opened()
  frames.send('2probe')
  assert.equal(await frames.next(), '3probe')
  frames.send('5')
  for (let i = 0; i < MANY_PINGS; i++) {
    assert.equal(await frames.next(), '2')
    frames.send('3')
  }
  frames.send('4alive')
  assert.equal(await frames.next(), '4alive')
})

test('G3 pongs nobody asked for do no harm', async (t) => {
  const frames = openFrames(t, patientWebsocket)
  await frames.next()
  for (let i = 0; i < 20; i++) {
    frames.send('3')
  }
  frames.send('4alive')
  assert.equal(await frames.next(), '4alive')
})

test('a polling client that answers pings stays for several intervals', async () => {
  const session = await openPolling(patient)
  let pings = 0
  while (pings < MANY_PINGS) {
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
