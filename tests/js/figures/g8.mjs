// G8: events that nobody handles are counted one by one, logged once a second, and told to their clients; so are those
// that an application answers by 404.

import { once } from 'node:events'
import { io } from 'socket.io-client'
import { Server, freePort, report, startApp, until } from './server.mjs'

const events = Number(process.env.EVENTS ?? 500)
const secret = 'of an application'
const port = await freePort()
const app = await startApp(port, `whsec_${Buffer.from(secret).toString('base64')}`)
const server = await Server.start(
  [
    'namespace=[{"name":"/","unhandled":"error"},{"name":"/app","unhandled":"error"}]',
    `backend=[{"url":"http://127.0.0.1:${port}/hook","secret":"${secret}","namespaces":"/app","queue_per_socket":10000}]`,
  ],
  'warn',
)
const figures = {}
const promises = {}
const logs = []
for (const [namespace, who] of [['/', 'without an application'], ['/app', 'by 404']]) {
  const socket = io(`${server.origin}${namespace}`, { forceNew: true })
  await new Promise((resolve) => socket.on('connect', resolve))
  let told = 0
  socket.on('error', ({ event, code }) => (told += event === 'leave_task' && code === 'unhandled' ? 1 : 0))
  const start = performance.now()
  for (let at = 0; at < events; at++) socket.emit('leave_task', at)
  await until(() => told === events, 30)
  const seconds = (performance.now() - start) / 1000
  const counted = await server.metric(`socketio_events_unhandled_total{namespace="${namespace}"}`)
  Object.assign(figures, { [`sent ${who}`]: events, [`counted ${who}`]: counted, [`told ${who}`]: told })
  promises[`${who} each is counted`] = counted === events
  promises[`${who} each is told`] = told === events
  logs.push({ namespace, who, seconds })
  socket.disconnect()
}
// What it has logged comes by a pipe, and is all there once that is closed.
const closed = once(server.child, 'close')
await server.stop()
await closed
for (const { namespace, who, seconds } of logs) {
  const words = ['nobody handles this event', `namespace="${namespace}"`]
  const lines = server.log.filter((line) => words.every((word) => line.includes(word))).length
  figures[`lines ${who}`] = lines
  promises[`${who} the log has some lines, not all`] = lines >= 1 && lines <= seconds + 1
}
report('G8', figures, promises)
app.child.kill('SIGKILL')
