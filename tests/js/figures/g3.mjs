// G3: a restart under official clients with default options: how long until they are back, and whether all are.

import { Clients } from './clients.mjs'
import { Server, quantile, report } from './server.mjs'

const count = Number(process.env.CLIENTS ?? 1000)
const server = await Server.start()
const clients = await Clients.open(server.origin, count)
const stopped = Date.now()
await server.stop()
const ended = Date.now()
await server.start()
const started = Date.now()
const back = await clients.all()
// From when the old one was asked to end: what a user sees.
const away = [...clients.connected.values()].map((at) => at - stopped)
report(
  'G3',
  {
    clients: count,
    'ms to end': ended - stopped,
    'ms to start': started - ended,
    'ms away, median': quantile(away, 0.5),
    p99: quantile(away, 0.99),
    most: Math.max(...away),
    lost: count - clients.connected.size,
    'sent away': clients.sentAway,
    refused: clients.refused,
  },
  { 'all are back': back, 'nobody was sent away': clients.sentAway === 0, 'nobody was refused': clients.refused === 0 },
)
clients.kill()
await server.stop()
