// Emits over HTTP at a fixed rate while clients are connected: how long each takes, from when it was due.

import { Agent, request } from 'node:http'
import { Clients } from './clients.mjs'
import { Server, quantile, report } from './server.mjs'

const count = Number(process.env.CLIENTS ?? 1000)
const rate = Number(process.env.RATE ?? 1000)
const seconds = Number(process.env.DURATION ?? 5)
const server = await Server.start(['namespace=[{"name":"/","auto_join":["{query.room}"]}]'])
const rooms = Math.ceil(count / 10)
const clients = await Clients.open(server.origin, count, { processes: 1, options: { transports: ['websocket'] }, rooms })
const agent = new Agent({ keepAlive: true, maxSockets: 8 })
const taken = []
let failed = 0

function emit(due, at) {
  const body = JSON.stringify({ event: 'tick', room: `room-${at % rooms}`, data: { at } })
  const headers = { 'content-length': Buffer.byteLength(body) }
  return new Promise((resolve) => {
    const sent = request(`${server.admin}/api/v1/emit`, { method: 'POST', agent, headers }, (answer) => {
      answer.resume().on('end', () => {
        taken.push(performance.now() - due)
        failed += answer.statusCode === 200 ? 0 : 1
        resolve()
      })
    })
    sent.on('error', () => resolve((failed += 1)))
    sent.end(body)
  })
}

const start = performance.now()
const processorTime = server.processorTime()
const under = []
for (let at = 0; at < rate * seconds; ) {
  const due = Math.floor(((performance.now() - start) * rate) / 1000)
  for (; at < due && at < rate * seconds; at++) under.push(emit(start + (at * 1000) / rate, at))
  await new Promise(setImmediate)
}
await Promise.all(under)
report(
  'emit',
  {
    clients: count,
    'recipients each': count / rooms,
    'emits a second': rate,
    'ms median': quantile(taken, 0.5),
    p99: quantile(taken, 0.99),
    'us of the server each': ((server.processorTime() - processorTime) / taken.length) * 1e6,
  },
  { 'all were taken': failed === 0 && taken.length === rate * seconds },
)
clients.kill()
await server.stop()
