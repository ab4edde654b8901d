// What is promised of delivery (docs/delivery.md), by a hundred clients that are cut off again and again.
//
//     SEED=5 node --test delivery.test.mjs       the same cuts again, as far as the machine lets them
//     PACE=1 node --test delivery.test.mjs       with cuts of 0.5 to 10 s each; by default a fifth of that

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { fence, join, manage, open, ways, websocket } from './support/client.mjs'
import { once, settled } from './support/events.mjs'
import { brittleNetwork } from './support/proxy.mjs'
import { Random, seed } from './support/random.mjs'
import { isReference, serve } from './support/server.mjs'

const CLIENTS = 100
const EVENTS = 100
const PACE = Number(process.env.PACE ?? 0.2)
/** Between two events of one client, in ms. */
const PAUSE = 500 * PACE
/** For the numbers, and what cuts add to them. */
const WITHIN = 2 * PAUSE * EVENTS + 20_000

// The official server has nothing of what is tried here, or loses clients that it has not noticed the end of.
const skip = isReference && 'ours alone'
// What threads do at once is tried, too.
const threads = { TOKIO_WORKER_THREADS: 4 }
const full = await serve('recovery', { env: { ...threads, RECOVERY: 'full' }, official: false })
const buffer = await serve('recovery', { env: { ...threads, RECOVERY: 'buffer' }, official: false })

const persistent = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100 }

/**
 * One client whose network breaks at random, for both sides or so that the server hears nothing of it, until it has
 * heard the last number. With `gentle` it is cut only while it is connected. Returns the numbers and how often it was cut.
 */
async function run(t, server, number, { gentle }) {
  const random = new Random(seed * 1000 + number)
  const network = await brittleNetwork(t, server)
  const socket = open(t, network, ways[number % ways.length], persistent)
  const numbers = []
  let isOver = false
  const heard = new Promise((resolve, reject) => {
    socket.on('number', (number, ...more) => {
      // Of mode `full` there is the offset.
      if (more.length !== (server === full ? 1 : 0)) reject(new Error(`${more.length} more arguments`))
      numbers.push(number)
      if (number === EVENTS - 1) resolve()
    })
    socket.on('connect_error', (error) => socket.active || reject(error))
  })
  const what = `last number of client ${number}, SEED=${seed}`
  const over = settled(heard, what, WITHIN).finally(() => (isOver = true))
  over.catch(() => {})
  await once(socket, 'connect')
  await socket.emitWithAck('count', `room ${number}`, EVENTS, PAUSE)
  const { id } = socket
  let [cuts, losses] = [0, 0]
  socket.on('connect', () => {
    if (!socket.recovered || socket.id !== id) losses++
  })
  while (!isOver) {
    await Promise.race([over, pause(random.whole(500, 6000) * PACE)])
    if (gentle && !socket.connected) await Promise.race([over, once(socket, 'connect', WITHIN)])
    if (isOver) break
    cuts++
    random.chance(0.5) ? network.cut() : network.abandon()
    // A few last as long as they are drawn.
    await pause(random.whole(500, 10_000) * (number % 20 === 0 && cuts === 1 ? 1 : PACE))
    network.mend()
  }
  await over
  await rest(socket)
  assert.equal(losses, 0, 'it was recovered each time')
  socket.disconnect()
  return { numbers, cuts }
}

/** Waits until nothing is under way to the client any more, although its connection may be dead and not known to be. */
async function rest(socket) {
  for (;;) {
    if (!socket.connected) await once(socket, 'connect', WITHIN)
    try {
      return await fence(socket)
    } catch (error) {
      if (socket.connected) throw error
    }
  }
}

/** All clients at once; returns what they heard. */
async function runAll(t, server, options) {
  const clients = Array.from({ length: CLIENTS }, (_, number) => run(t, server, number, options))
  const results = await Promise.all(clients)
  const sum = (count) => results.reduce((total, result) => total + count(result), 0)
  const cuts = sum((result) => result.cuts)
  t.diagnostic(`SEED=${seed}, ${cuts} cuts, ${sum(({ numbers }) => numbers.length)} events`)
  assert.ok(cuts >= CLIENTS, 'each was cut, but for some')
  return results.map(({ numbers }) => numbers)
}

const all = Array.from({ length: EVENTS }, (_, number) => number)

test('RC-04 RC-05 mode full: each event exactly once and in order', { skip }, async (t) => {
  for (const numbers of await runAll(t, full, { gentle: true })) {
    assert.deepEqual(numbers, all)
  }
})

test('RC-04 RC-05 mode buffer: each event at least once and in order', { skip }, async (t) => {
  for (const numbers of await runAll(t, buffer, { gentle: false })) {
    const firsts = numbers.filter((number, at) => number > Math.max(-1, ...numbers.slice(0, at)))
    assert.deepEqual(firsts, all, 'whoever passes over repeats has each once')
    assert.deepEqual(new Set(numbers), new Set(all))
  }
})

test('what a client repeats is done once, also on another connection', { skip }, async (t) => {
  const manager = manage(buffer, websocket, persistent)
  const socket = join(t, manager, '/', { retries: 3, ackTimeout: 5000 })
  await once(socket, 'connect')
  const dropped = once(socket, 'disconnect')
  // Its first answer is lost with the connection.
  assert.equal(await socket.emitWithAck('do and drop', 'a'), 1)
  await dropped
  assert.equal(await socket.emitWithAck('do and drop', 'a'), 1)
  assert.equal(await socket.emitWithAck('do and drop', 'b'), 2)
})
