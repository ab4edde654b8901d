// G1: clients that are killed leave nothing: descriptors and sockets are as before.

import { Clients } from './clients.mjs'
import { Server, report, until } from './server.mjs'

const cycles = Number(process.env.CYCLES ?? 20)
const each = 50
const server = await Server.start(['engine.ping_interval=2', 'engine.ping_timeout=2'])
const before = server.descriptors()
let most = 0
for (let cycle = 0; cycle < cycles; cycle++) {
  // Some poll when they are killed, some have a WebSocket.
  const transports = cycle % 2 ? ['polling'] : ['polling', 'websocket']
  const clients = await Clients.open(server.origin, each, { processes: 1, options: { transports } })
  most = Math.max(most, server.descriptors())
  clients.kill()
}
const gone = await until(async () => (await server.metric('socketio_sockets')) === 0, 30)
const back = await until(() => server.descriptors() <= before + 2, 30)
report(
  'G1',
  { clients: cycles * each, 'descriptors before': before, most, after: server.descriptors(), 'MB after': server.resident() },
  { 'at most 20 descriptors without clients': before <= 20, 'all sockets gone': gone, 'descriptors are back': back },
)
await server.stop()
