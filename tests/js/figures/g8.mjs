// G8: events that nobody handles are counted one by one, logged once a second, and told to their clients; so are those
// that an application answers by 404.

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
for (const [namespace, who] of [['/', 'without an application'], ['/app', 'by 404']]) {
  const socket = io(`${server.origin}${namespace}`, { forceNew: true })
  await new Promise((resolve) => socket.on('connect', resolve))
  let told = 0
  socket.on('error', ({ event, code }) => (told += event === 'leave_task' && code === 'unhandled' ? 1 : 0))
  const start = performance.now()
  const logged = server.log.length
  for (let at = 0; at < events; at++) socket.emit('leave_task', at)
  await until(() => told === events, 30)
  const seconds = (performance.now() - start) / 1000
  const counted = await server.metric(`socketio_events_unhandled_total{namespace="${namespace}"}`)
  const lines = server.log.slice(logged).filter((line) => line.includes('nobody handles this event')).length
  Object.assign(figures, { [`sent ${who}`]: events, [`counted ${who}`]: counted, [`told ${who}`]: told, [`lines ${who}`]: lines })
  promises[`${who} each is counted`] = counted === events
  promises[`${who} each is told`] = told === events
  promises[`${who} the log has some lines, not all`] = lines >= 1 && lines <= seconds + 1
  socket.disconnect()
}
report('G8', figures, promises)
await server.stop()
app.child.kill('SIGKILL')
