// Emits over HTTP at a fixed rate while clients are connected: how long each takes, from when it was due, and how long
// the server says that it had it. Between the two are the clients, who want processors, too.

import { once } from 'node:events'
import { connect } from 'node:net'
import { Clients } from './clients.mjs'
import { Server, quantile, report } from './server.mjs'

const count = Number(process.env.CLIENTS ?? 1000)
const recipients = Number(process.env.RECIPIENTS ?? 10)
const rate = Number(process.env.RATE ?? 1000)
const seconds = Number(process.env.DURATION ?? 5)
const server = await Server.start(['namespace=[{"name":"/","auto_join":["{query.room}"]}]'])
const rooms = Math.ceil(count / recipients)
const clients = await Clients.open(server.origin, count, { processes: 1, options: { transports: ['websocket'] }, rooms })
const taken = []
let failed = 0

/** A connection with one request under way at most; each answer is one small packet. */
class Connection {
  constructor(url) {
    this.host = url.host
    this.socket = connect({ port: url.port, host: url.hostname, noDelay: true })
    this.socket.on('data', (answer) => {
      taken.push(performance.now() - this.due)
      failed += answer.toString('latin1').startsWith('HTTP/1.1 200 ') ? 0 : 1
      free.push(this)
    })
  }

  emit(at, due) {
    const body = `{"event":"tick","room":"room-${at % rooms}","data":{"at":${at}}}`
    this.due = due
    this.socket.write(`POST /api/v1/emit HTTP/1.1\r\nhost: ${this.host}\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
  }
}

/** The least bound of the server's histogram that 99 of 100 emits are within, in milliseconds. */
async function p99OfServer() {
  const metrics = await (await fetch(`${server.admin}/metrics`)).text()
  const bucket = /^socketio_api_duration_seconds_bucket\{route="\/api\/v1\/emit",le="([^"]+)"\} (\d+)$/gm
  const [bound] = [...metrics.matchAll(bucket)].find(([, , within]) => within >= 0.99 * taken.length).slice(1)
  return bound * 1000
}

const free = []
for (let i = 0; i < 8; i++) {
  const connection = new Connection(new URL(server.admin))
  await once(connection.socket, 'connect')
  free.push(connection)
}
const start = performance.now()
const processorTime = server.processorTime()
for (let at = 0; taken.length < rate * seconds; ) {
  const due = () => start + (at * 1000) / rate
  while (at < rate * seconds && due() <= performance.now() && free.length > 0) {
    free.shift().emit(at, due())
    at++
  }
  await new Promise(setImmediate)
}
const busy = server.processorTime() - processorTime
report(
  'emit',
  {
    clients: count,
    'recipients each': count / rooms,
    'emits a second': rate,
    'ms median': quantile(taken, 0.5),
    p99: quantile(taken, 0.99),
    'ms p99 of the server at most': await p99OfServer(),
    'us of the server each': (busy / taken.length) * 1e6,
  },
  { 'all were taken': failed === 0 },
)
clients.kill()
free.forEach((connection) => connection.socket.destroy())
await server.stop()
