// G9: Redis is restarted: what is published reaches clients again at once, and neither server nor clients notice.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Redis from 'ioredis'
import { io } from 'socket.io-client'
import { Server, report, start, until } from './server.mjs'

const restarts = Number(process.env.RESTARTS ?? 4)
const folder = mkdtempSync(join(tmpdir(), 'socketio-redis-'))
const path = join(folder, 'redis.sock')
const flags = ['--port', '0', '--unixsocket', path, '--dir', folder, '--save', '']
const startRedis = () => start('redis-server', flags, 'eady to accept connections')
let redis = await startRedis()
const server = await Server.start([`redis.url=unix://${path}`])
const socket = io(server.origin)
let heard = 0
let lost = 0
socket.on('tick', () => (heard += 1))
socket.on('disconnect', () => (lost += 1))
await new Promise((resolve) => socket.on('connect', resolve))
const { pid } = server.child

/** Publishes until the client hears it, and says how many milliseconds that took. */
async function untilHeard() {
  const since = performance.now()
  const before = heard
  const client = new Redis({ path })
  const message = JSON.stringify({ method: 'emit', event: 'tick', data: [1], namespace: '/', room: null, skip_sid: null })
  const found = await until(async () => {
    await client.publish('socketio', message)
    return heard > before
  }, 30)
  client.disconnect()
  return found ? performance.now() - since : Infinity
}

await untilHeard()
const taken = []
for (let restart = 0; restart < restarts; restart++) {
  redis.child.kill('SIGKILL')
  await redis.ended
  // Longer each time, as what waits for it looks for it less often.
  await new Promise((resolve) => setTimeout(resolve, restart * 2000))
  redis = await startRedis()
  taken.push(await untilHeard())
}
report(
  'G9',
  { restarts, 'ms until heard': Math.min(...taken), most: Math.max(...taken), 'connections lost': lost },
  {
    'subscribed again within 2 s': Math.max(...taken) <= 2000,
    'no client notices': lost === 0,
    'the process stays': server.child.pid === pid && server.child.exitCode === null,
  },
)
socket.disconnect()
await server.stop()
redis.child.kill('SIGKILL')
rmSync(folder, { recursive: true, force: true })
