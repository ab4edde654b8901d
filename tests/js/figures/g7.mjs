// G7: a client that stops reading: its queue ends at its bound, it is cut off, and others hear as soon as before.

import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { once } from 'node:events'
import { io } from 'socket.io-client'
import { Server, quantile, report, until } from './server.mjs'

const padding = 'x'.repeat(10_000)
const server = await Server.start()
const listeners = Array.from({ length: 20 }, () => io(server.origin, { transports: ['websocket'], forceNew: true }))
await Promise.all(listeners.map((socket) => new Promise((resolve) => socket.on('connect', resolve))))
let late = []
listeners.forEach((socket) => socket.on('tick', (sent) => late.push(performance.now() - sent)))

/** Emits 200 times a second until this holds, for three seconds at least. */
async function ticks(isOver) {
  late = []
  const start = performance.now()
  for (let tick = 1; !(await isOver()) || performance.now() < start + 3000; tick++) {
    await server.emit({ event: 'tick', args: [performance.now(), padding] })
    await new Promise((resolve) => setTimeout(resolve, start + tick * 5 - performance.now()))
    if (performance.now() > start + 30_000) break
  }
  return { p99: quantile(late, 0.99), heard: late.length }
}

const alone = await ticks(() => true)
const stuck = connect(server.ports[0], '127.0.0.1')
await once(stuck, 'connect')
stuck.on('error', () => {})
stuck.write(
  'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n' +
    `sec-websocket-version: 13\r\nsec-websocket-key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
)
await once(stuck, 'data')
// `40`, masked with zeros.
stuck.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x34, 0x30]))
await until(async () => (await server.metric('socketio_sockets')) === 21, 30)
stuck.pause()
const before = server.resident()
const beside = await ticks(async () => (await server.metric('socketio_slow_consumers_total')) === 1)
const cut = (await server.metric('socketio_slow_consumers_total')) === 1
const grown = server.resident() - before
report(
  'G7',
  { 'ms p99 alone': alone.p99, 'beside one who does not read': beside.p99, heard: beside.heard, 'MB more': grown },
  {
    'it is cut off': cut,
    'the others stay': (await server.metric('socketio_sockets')) === 20,
    'its queue is bounded': grown < 10,
  },
)
stuck.destroy()
listeners.forEach((socket) => socket.disconnect())
await server.stop()
