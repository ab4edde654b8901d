// Order: nothing lost, doubled or overtaken, not even while the transport changes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import {
  comparable,
  connect,
  fence,
  open,
  testEachWay,
  upgrade,
  websocket,
} from './support/client.mjs'
import { collect, once, record } from './support/events.mjs'
import { slowWebSockets } from './support/proxy.mjs'
import { serve } from './support/server.mjs'

// What threads do at once is tried, too.
const server = await serve('smoke', { env: { TOKIO_WORKER_THREADS: 4 } })

const integers = (count) => Array.from({ length: count }, (_, i) => i)

/** The n-th of a sequence of events that mixes text with one and two attachments. */
function nth(i) {
  if (i % 5 === 0) {
    return [i, Buffer.from(`attachment ${i}`)]
  }
  if (i % 7 === 0) {
    return [i, Buffer.alloc(0), { again: Buffer.from([i & 0xff]) }]
  }
  return [i, `text ${i} 🎉`]
}

testEachWay('EV-05 1,000 events, text and binary, come back in order', async (t, way) => {
  const socket = await connect(t, server, way)
  const sent = integers(1000).map(nth)
  const echoed = collect(socket, 'echo', sent.length)
  for (const args of sent) {
    socket.emit('echo', ...args)
  }
  assert.deepEqual(comparable(await echoed), sent)
})

testEachWay('events and acknowledgements are answered in the order they came', async (t, way) => {
  const socket = await connect(t, server, way)
  const answers = []
  socket.on('echo', (i) => answers.push(i))
  for (const i of integers(200)) {
    if (i % 2) {
      socket.emit('echo', i)
    } else {
      socket.emit('ack-me', i, (reply) => answers.push(reply))
    }
  }
  await fence(socket)
  assert.deepEqual(answers, integers(200))
})

test('UP-01 the transport really changes from polling to websocket', async (t) => {
  const socket = open(t, server, upgrade)
  const names = [socket.io.engine.transport.name]
  const upgraded = once(socket.io.engine, 'upgrade')
  await once(socket, 'connect')
  names.push((await upgraded)[0].name, socket.io.engine.transport.name)
  assert.deepEqual(names, ['polling', 'websocket', 'websocket'])
  await fence(socket)
})

test('the id stays the same across the upgrade', async (t) => {
  const socket = open(t, server, upgrade)
  const upgraded = once(socket.io.engine, 'upgrade')
  await once(socket, 'connect')
  const before = [socket.id, socket.io.engine.id]
  await upgraded
  await fence(socket)
  assert.deepEqual([socket.id, socket.io.engine.id], before)
})

/** Runs `act` each millisecond until the upgrade, then 50 times more at once. */
async function across(upgrading, act) {
  let done = false
  upgrading.finally(() => (done = true))
  while (!done) {
    act()
    await setTimeout(1)
  }
  await upgrading
  integers(50).forEach(act)
}

/** The transports that carried the events named `event`. */
function carriers(socket, event) {
  const names = new Set()
  socket.on(event, () => names.add(socket.io.engine.transport.name))
  return names
}

const delays = [20, 30, 40, 50, 60]

for (const delay of delays) {
  test(`UP-03 events both ways during an upgrade of ${delay} ms keep their order`, async (t) => {
    const socket = open(t, await slowWebSockets(t, server, delay), upgrade)
    const heard = record(socket, 'echo')
    const names = carriers(socket, 'echo')
    const upgrading = once(socket.io.engine, 'upgrade')
    await once(socket, 'connect')
    let sent = 0
    await across(upgrading, () => socket.emit('echo', ...nth(sent++)))
    await fence(socket)
    assert.deepEqual(comparable(heard), integers(sent).map(nth))
    assert.deepEqual([...names], ['polling', 'websocket'])
  })
}

for (const delay of delays) {
  test(`UP-03 casts to a client during its upgrade of ${delay} ms keep their order`, async (t) => {
    const room = `upgrade of ${delay} ms`
    const caster = await connect(t, server, websocket)
    const socket = open(t, await slowWebSockets(t, server, delay), upgrade)
    const heard = record(socket, 'msg')
    const names = carriers(socket, 'msg')
    const upgrading = once(socket.io.engine, 'upgrade')
    await socket.emitWithAck('join', room)
    let sent = 0
    await across(upgrading, () => caster.emit('cast', room, ...nth(sent++)))
    await fence(caster)
    await fence(socket)
    assert.deepEqual(comparable(heard), integers(sent).map(nth))
    assert.deepEqual([...names], ['polling', 'websocket'])
  })
}
