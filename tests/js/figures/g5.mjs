// G5: the application is stopped for long: nobody loses a connection, its events are answered in order or told to have
// failed, and emits of others go on. By default for 10 s, with pings each second that may go unanswered for 6 s: longer
// than a machine stalls, and shorter than the application is stopped. STOPPED=60 INTERVAL=25 TIMEOUT=5 is the whole of
// it.

import { io } from 'socket.io-client'
import { Server, freePort, quantile, report, startApp, until } from './server.mjs'

const count = Number(process.env.CLIENTS ?? 20)
const stopped = Number(process.env.STOPPED ?? 10)
const heartbeat = [Number(process.env.INTERVAL ?? 1), Number(process.env.TIMEOUT ?? 6)]
const secret = 'of an application'
const port = await freePort()
const app = await startApp(port, `whsec_${Buffer.from(secret).toString('base64')}`)
const server = await Server.start([
  `engine.ping_interval=${heartbeat[0]}`,
  `engine.ping_timeout=${heartbeat[1]}`,
  `backend=[{"url":"http://127.0.0.1:${port}/hook","secret":"${secret}"}]`,
])
let lost = 0
const clients = Array.from({ length: count }, () => {
  const socket = io(server.origin, { forceNew: true, reconnection: false })
  const client = { socket, sent: 0, answers: [], failed: 0 }
  socket.on('error', ({ event }) => (client.failed += event === 'echo' ? 1 : 0))
  socket.on('disconnect', () => (lost += 1))
  return client
})
await Promise.all(clients.map(({ socket }) => new Promise((resolve) => socket.on('connect', resolve))))
const late = []
clients.forEach(({ socket }) => socket.on('tick', (sent) => late.push(performance.now() - sent)))

app.child.kill('SIGSTOP')
const start = performance.now()
let ticks = 0
for (let at = 1; performance.now() < start + stopped * 1000; at++) {
  // Each of them five times a second; the server emits ten times.
  for (const client of at % 2 ? clients : []) {
    const number = client.sent++
    client.socket.emit('echo', number, (answer) => client.answers.push(answer))
  }
  ticks += (await server.emit({ event: 'tick', data: performance.now() })).sockets
  await new Promise((resolve) => setTimeout(resolve, start + at * 100 - performance.now()))
}
app.child.kill('SIGCONT')
const sum = (value) => clients.reduce((all, client) => all + value(client), 0)
// Until the pause of the backend is over, events fail.
const ask = ({ socket }) => socket.timeout(2000).emitWithAck('slow').then(() => true, () => false)
const works = await until(async () => (await Promise.all(clients.map(ask))).every(Boolean), 30)
const told = () => sum(({ answers }) => answers.length) + sum(({ failed }) => failed)
await until(() => told() >= sum(({ sent }) => sent), 30)
const isInOrder = ({ answers }) => answers.every((answer, at) => at === 0 || answers[at - 1] < answer)
report(
  'G5',
  {
    clients: count,
    'seconds stopped': stopped,
    'connections lost': lost,
    'events meanwhile': sum(({ sent }) => sent),
    answered: sum(({ answers }) => answers.length),
    'emits meanwhile': ticks,
    'ms p99 of these': quantile(late, 0.99),
  },
  {
    'nobody loses a connection': lost === 0,
    'each event is answered or told': told() >= sum(({ sent }) => sent),
    'answers are in order': clients.every(isInOrder),
    'emits go on': late.length === ticks && ticks > 0,
    'it works again': works,
  },
)
clients.forEach(({ socket }) => socket.disconnect())
await server.stop()
app.child.kill('SIGKILL')
