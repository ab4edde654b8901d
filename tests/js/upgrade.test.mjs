// The upgrade from polling to WebSocket, step by step: every message is echoed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openFrames, turnedAway } from './support/frames.mjs'
import { BAD_REQUEST, openPolling, SEPARATOR } from './support/polling.mjs'
import { isReference, serve } from './support/server.mjs'

// The first ping, by default after 25 s, is so late that it answers no poll that is to be answered otherwise.
const server = await serve('eio-options')

async function assertAlive(session) {
  await session.post('4alive')
  assert.deepEqual(await session.poll(), ['4alive'])
}

/** A polling session and its WebSocket after the probe was answered. */
async function probed(t) {
  const session = await openPolling(server)
  const frames = openFrames(t, session.webSocketUrl)
  await frames.opened()
  frames.send('2probe')
  assert.equal(await frames.next(), '3probe')
  return { session, frames }
}

async function upgraded(t) {
  const { session, frames } = await probed(t)
  frames.send('5')
  frames.send('4upgraded')
  assert.equal(await frames.next(), '4upgraded')
  return { session, frames }
}

test('UP-01 probe, the open poll is ended with 6, then 5 completes', async (t) => {
  const session = await openPolling(server)
  const { parked } = await session.parkGet()
  const frames = openFrames(t, session.webSocketUrl)
  await frames.opened()
  frames.send('2probe')
  assert.equal(await frames.next(), '3probe')
  assert.deepEqual(await parked, { status: 200, body: '6' })
  frames.send('5')
  frames.send('4upgraded')
  assert.equal(await frames.next(), '4upgraded')
})

test('UP-02 while the probe stands each poll is answered 6, again and again', async (t) => {
  const { session } = await probed(t)
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(await session.poll(), ['6'])
  }
})

test('B11 while the probe stands messages still pass by polling', async (t) => {
  const { session } = await probed(t)
  await session.post('4by polling')
  assert.ok((await session.poll()).includes('4by polling'))
})

test('UP-03 50 messages before, during and after the change are echoed in order', async (t) => {
  const session = await openPolling(server)
  const numbers = (from) => Array.from({ length: 50 }, (_, i) => `4${from + i}`)
  await session.post(numbers(0).join(SEPARATOR))
  const frames = openFrames(t, session.webSocketUrl)
  await frames.opened()
  frames.send('2probe')
  assert.equal(await frames.next(), '3probe')
  await session.post(numbers(50).join(SEPARATOR))
  const polled = await session.packets(10)
  frames.send('5')
  numbers(100).forEach((frame) => frames.send(frame))
  const heard = polled.filter((packet) => packet !== '6')
  heard.push(...(await frames.take(150 - heard.length)))
  assert.deepEqual(heard, [...numbers(0), ...numbers(50), ...numbers(100)])
})

test('UP-03 what polling has not fetched comes by WebSocket, in order', async (t) => {
  const { session, frames } = await probed(t)
  await session.post(['41', 'bAQ==', '42'].join(SEPARATOR))
  frames.send('5')
  frames.send('43')
  assert.deepEqual(await frames.take(4), ['41', Buffer.from([1]), '42', '43'])
})

test('UP-16 a message right behind 5 is delivered', async (t) => {
  const { frames } = await probed(t)
  frames.send('5')
  frames.send(Buffer.from([1, 2]))
  assert.deepEqual(await frames.next(), Buffer.from([1, 2]))
})

test('UP-04 after the upgrade HTTP requests are refused, the session lives', async (t) => {
  const { session, frames } = await upgraded(t)
  for (const answer of [await session.get(), await session.post('4a')]) {
    assert.deepEqual([answer.status, answer.body], [400, BAD_REQUEST])
  }
  frames.send('4alive')
  assert.equal(await frames.next(), '4alive')
})

test('UP-05 after the upgrade another WebSocket is closed, the first lives', async (t) => {
  const { session, frames } = await upgraded(t)
  await turnedAway(t, session.webSocketUrl)
  frames.send('4alive')
  assert.equal(await frames.next(), '4alive')
})

test('UP-06 a second WebSocket during the upgrade is closed, the first goes on', async (t) => {
  const { session, frames } = await probed(t)
  await turnedAway(t, session.webSocketUrl)
  frames.send('5')
  frames.send('4alive')
  assert.equal(await frames.next(), '4alive')
})

for (const [name, frame] of Object.entries({
  'a ping': '2',
  'a ping with another word': '2probe!',
  'a pong': '3probe',
  'a message': '40',
  'a close': '1',
  'no packet': 'x',
  'an empty text': '',
  'a binary frame': Buffer.from('2probe'),
})) {
  test(`UP-07 ${name} instead of a probe closes that WebSocket, polling lives`, async (t) => {
    const session = await openPolling(server)
    const frames = openFrames(t, session.webSocketUrl)
    await frames.opened()
    frames.send(frame)
    await frames.end()
    await assertAlive(session)
  })
}

test('E20 5 without a probe: accepted by the reference, not by ours', async (t) => {
  const session = await openPolling(server)
  const frames = openFrames(t, session.webSocketUrl)
  await frames.opened()
  frames.send('5')
  if (!isReference) {
    await frames.end()
    await assertAlive(session)
  } else {
    frames.send('4upgraded')
    assert.equal(await frames.next(), '4upgraded')
  }
})

test('E21 a message between probe and 5 closes the WebSocket, polling lives', async (t) => {
  const { session, frames } = await probed(t)
  frames.send('4too early')
  await frames.end()
  await assertAlive(session)
})

test('a WebSocket that goes away before 5 leaves the polling session alive', async (t) => {
  const { session, frames } = await probed(t)
  frames.socket.terminate()
  await frames.end()
  await assertAlive(session)
})

test('after a failed upgrade a second one succeeds', async (t) => {
  const session = await openPolling(server)
  const first = openFrames(t, session.webSocketUrl)
  await first.opened()
  first.send('2nonsense')
  await first.end()
  const second = openFrames(t, session.webSocketUrl)
  await second.opened()
  second.send('2probe')
  assert.equal(await second.next(), '3probe')
  second.send('5')
  second.send('4alive')
  assert.equal(await second.next(), '4alive')
})

test('UP-09 a session closed during the upgrade closes the WebSocket as well', async (t) => {
  const { session, frames } = await probed(t)
  assert.equal((await session.post('1')).body, 'ok')
  await frames.end()
})

test('E17 a session born on WebSocket: ours refuses to upgrade it', async (t) => {
  const frames = openFrames(t, server.webSocketUrl('EIO=4&transport=websocket'))
  const { sid } = JSON.parse((await frames.next()).slice(1))
  if (!isReference) {
    await turnedAway(t, server.webSocketUrl(`EIO=4&transport=websocket&sid=${sid}`))
  }
  frames.send('4alive')
  assert.equal(await frames.next(), '4alive')
})
