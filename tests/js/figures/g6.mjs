// G6: the application is restarted while clients connect: nobody is refused, and all are let in.

import { Clients } from './clients.mjs'
import { Server, freePort, report, startApp } from './server.mjs'

const each = Number(process.env.CLIENTS ?? 100)
const away = Number(process.env.AWAY ?? 3)
const secret = 'of an application'
const port = await freePort()
const start = () => startApp(port, `whsec_${Buffer.from(secret).toString('base64')}`)
let app = await start()
const server = await Server.start([`backend=[{"url":"http://127.0.0.1:${port}/hook","secret":"${secret}"}]`])
const open = () => Clients.open(server.origin, each, { processes: 1 })
const wait = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000))

const before = await open()
// While these connect it is killed, some hooks of theirs being under way.
const during = open()
await wait(0.3)
app.child.kill('SIGKILL')
await app.ended
const without = open()
await wait(away)
app = await start()
const back = Date.now()
const after = open()
const all = await Promise.all([before, during, without, after])
const sum = (value) => all.reduce((sum, clients) => sum + value(clients), 0)
const waited = [...(await without).connected.values()].map((at) => at - back)
report(
  'G6',
  {
    clients: 4 * each,
    'seconds without the application': away,
    refused: sum(({ refused }) => refused),
    'sent away': sum(({ sentAway }) => sentAway),
    'not let in': 4 * each - sum(({ connected }) => connected.size),
    'ms until the last one was in': Math.max(...waited),
  },
  {
    'nobody is refused': sum(({ refused }) => refused) === 0,
    'nobody is sent away': sum(({ sentAway }) => sentAway) === 0,
    'all are let in': sum(({ connected }) => connected.size) === 4 * each,
  },
)
all.forEach((clients) => clients.kill())
await server.stop()
app.child.kill('SIGKILL')
