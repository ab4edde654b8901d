// G11: three servers as one, of which one is killed, and whose Redis is restarted: what clients of the others notice, and
// when those of the killed one are back.

import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Manager } from 'socket.io-client'
import { Server, quantile, report, start, until } from './server.mjs'

const count = Number(process.env.CLIENTS ?? 150)
const every = 20
const folder = mkdtempSync(join(tmpdir(), 'socketio-redis-'))
const path = join(folder, 'redis.sock')
const flags = ['--port', '0', '--unixsocket', path, '--dir', folder, '--save', '']
const startRedis = () => start('redis-server', flags, 'eady to accept connections')
let redis = await startRedis()
const servers = []
for (let at = 0; at < 3; at++) {
  servers.push(await Server.start([`redis.url=unix://${path}`, 'cluster.enabled=true']))
}
const others = async (server) => (await (await fetch(`${server.admin}/api/v1/stats`)).json()).cluster.servers.length
const known = (number) => until(async () => (await Promise.all(servers.slice(0, 1).map(others)))[0] === number, 30)
await known(2)

// A balancer: connections go to one server after the other, and to the next one where that is not there.
let next = 0
const balancer = createServer((client) => {
  const forward = (tries) => {
    const server = connect(servers[next++ % servers.length].ports[0], '127.0.0.1')
    server.once('connect', () => client.pipe(server).pipe(client))
    server.once('error', () => (tries > 0 && !server.bytesRead ? forward(tries - 1) : client.destroy()))
    server.once('close', () => server.bytesRead && client.destroy())
    client.once('close', () => server.destroy())
    client.once('error', () => server.destroy())
  }
  forward(servers.length)
}).listen(0, '127.0.0.1')
await once(balancer, 'listening')

// Each client keeps the numbers that it heard, and when it came back.
const clients = Array.from({ length: count }, () => {
  const manager = new Manager(`http://127.0.0.1:${balancer.address().port}`, { transports: ['websocket'] })
  const client = { socket: manager.socket('/'), heard: [], left: 0, back: undefined }
  client.socket.on('n', (number) => client.heard.push(number))
  client.socket.on('disconnect', () => (client.left += 1))
  client.socket.on('connect', () => (client.back = performance.now()))
  return client
})
await until(() => clients.every(({ socket }) => socket.connected), 30)

/** Who is on a server, by what it says. */
async function on(server) {
  const { sockets } = await (await fetch(`${server.admin}/api/v1/sockets?limit=1000`)).json()
  const ids = new Set(sockets.map(({ sid }) => sid))
  return clients.filter(({ socket }) => ids.has(socket.id))
}
const [first, killed, third] = [await on(servers[0]), await on(servers[1]), await on(servers[2])]

let number = 0
let emitting = Promise.resolve()
const ticker = setInterval(() => {
  const args = [(number += 1)]
  emitting = emitting.then(() => servers[0].emit({ event: 'n', args }))
}, every)
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
/** The numbers that are missing between the first and the last one, and those that came again. */
const gaps = (list) => list.reduce((sum, { heard }) => sum + (heard.at(-1) - heard[0] + 1 - new Set(heard).size), 0)
const repeats = (list) => list.reduce((sum, { heard }) => sum + heard.length - new Set(heard).size, 0)

await pause(1000)
const since = performance.now()
servers[1].child.kill('SIGKILL')
await servers[1].ended
const back = await until(() => killed.every(({ socket, left }) => left > 0 && socket.connected), 30)
const away = killed.map((client) => client.back - since)
await pause(1000)
const staying = [...first, ...third]
const [lost, again, left] = [gaps(staying), repeats(clients), staying.reduce((sum, { left }) => sum + left, 0)]

redis.child.kill('SIGKILL')
await redis.ended
const [before, elsewhere] = [first[0].heard.length, third[0].heard.length]
await pause(1000)
const [locally, across] = [first[0].heard.length - before, third[0].heard.length - elsewhere]
redis = await startRedis()
const there = performance.now()
await until(() => third[0].heard.at(-1) > number - 3, 30)
const healed = performance.now() - there
clearInterval(ticker)
await emitting
const leftLater = staying.reduce((sum, { left }) => sum + left, 0) - left
report(
  'G11',
  {
    clients: count,
    'on the killed server': killed.length,
    'ms until they are back, median': quantile(away, 0.5),
    p99: quantile(away, 0.99),
    'events lost to others': lost,
    'events twice': again,
    'others disconnected': left + leftLater,
    'events heard locally without Redis': locally,
    'across': across,
    'ms until heard across again': healed,
  },
  {
    'all are back': back && killed.length > 0,
    'nothing is lost to others': lost === 0,
    'nothing comes twice': again === 0 && repeats(clients) === 0,
    'nobody else is disconnected': left + leftLater === 0,
    'each server goes on without Redis': locally > (1000 / every) * 0.5,
    'they are one again': Number.isFinite(healed) && third[0].heard.at(-1) > number - 10,
  },
)
clients.forEach(({ socket }) => socket.disconnect())
balancer.close()
await servers[0].stop()
await servers[2].stop()
redis.child.kill('SIGKILL')
rmSync(folder, { recursive: true, force: true })
