// A thousand upgrades over bad networks: nothing is lost, doubled or out of order.
//
//     SEED=5 node --test network.test.mjs     the same networks again

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { Socket } from 'engine.io-client'
import OldSocket from 'engine.io-client-3'
import { settled } from './support/events.mjs'
import { roughNetwork } from './support/proxy.mjs'
import { Random, seed } from './support/random.mjs'
import { serve } from './support/server.mjs'

// Its pings are late: a pause of this machine must not end a session.
// What threads do at once is tried, too.
const server = await serve('eio-options', { options: { allowEIO3: true }, env: { TOKIO_WORKER_THREADS: 4 } })

const AT_ONCE = 20
const MESSAGES = 40

/** Numbered, of both kinds; some are long enough to come in several pieces. */
function message(number, random) {
  const text = `${number} ${'é'.repeat(random.chance(0.1) ? random.whole(0, 2000) : 0)}`
  return random.chance(0.3) ? Buffer.from(text) : text
}

/**
 * One session: sends all the time, from before the upgrade to behind it, and checks what comes back.
 * Returns the transport that it ended on.
 */
async function run(Client, number, { cut }) {
  const random = new Random(seed * 1000 + number)
  const network = await roughNetwork(server, random, { cut })
  const socket = new Client(network.origin, { path: server.path })
  const [sent, heard] = [[], []]
  try {
    const over = new Promise((resolve, reject) => {
      socket.on('close', (reason) => reject(new Error(`closed: ${reason}`)))
      socket.on('message', (data) => {
        heard.push(data)
        if (heard.length === MESSAGES) resolve()
      })
    })
    // The outcome of the upgrade, whichever it is.
    const changed = new Promise((resolve) => {
      socket.on('upgrade', resolve)
      socket.on('upgradeError', resolve)
    })
    const sending = (async () => {
      await new Promise((resolve) => socket.on('open', resolve))
      while (sent.length < MESSAGES) {
        // The last ones find the upgrade behind them.
        if (sent.length === MESSAGES - 5) await changed
        sent.push(message(sent.length, random))
        socket.send(sent.at(-1))
        if (random.chance(0.6)) await pause(random.whole(0, 6))
      }
    })()
    await settled(Promise.all([over, sending]), 'end of the session', 20_000)
    // What is doubled comes before the echo of what is sent now.
    const fenced = new Promise((resolve) =>
      socket.on('message', (data) => data === 'fence' && resolve()),
    )
    socket.send('fence')
    await settled(fenced, 'echo of the fence')
    assert.deepEqual(heard.slice(0, -1), sent)
    assert.equal(heard.at(-1), 'fence')
    return socket.transport.name
  } catch (error) {
    error.message += `\nsession ${number}, SEED=${seed}, ${sent.length} sent, ${heard.length} heard\n`
    error.message += network.log.slice(-80).join('\n')
    throw error
  } finally {
    socket.removeAllListeners()
    // Its polling request, if any, ends with the network.
    socket.on('error', () => {})
    socket.close()
    network.close()
  }
}

/** How many of these sessions ended on each transport. */
async function runAll(t, Client, count, { first, cut = false }) {
  t.diagnostic(`SEED=${seed}`)
  const transports = {}
  const numbers = Array.from({ length: count }, (_, i) => first + i)
  const worker = async () => {
    while (numbers.length > 0) {
      const transport = await run(Client, numbers.shift(), { cut })
      transports[transport] = (transports[transport] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return transports
}

test('UP-03 700 upgrades, delayed, split and joined', async (t) => {
  assert.deepEqual(await runAll(t, Socket, 700, { first: 0 }), { websocket: 700 })
})

test('UP-07 150 WebSockets that are cut before they are probed: polling lives on', async (t) => {
  assert.deepEqual(await runAll(t, Socket, 150, { first: 700, cut: true }), { polling: 150 })
})

test('UP-03 150 upgrades of revision 3', async (t) => {
  assert.deepEqual(await runAll(t, OldSocket, 150, { first: 850 }), { websocket: 150 })
})
