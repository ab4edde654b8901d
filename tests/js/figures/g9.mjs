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

/** Stops Redis for so many milliseconds, and says how long it took thereafter until the client heard again. */
async function restart(pause) {
  redis.child.kill('SIGKILL')
  await redis.ended
  await new Promise((resolve) => setTimeout(resolve, pause))
  redis = await startRedis()
  return untilHeard()
}

await untilHeard()
const taken = []
const again = []
for (let at = 0; at < restarts; at++) {
  // Longer each time, as what waits for it looks for it less often.
  const pause = at * 2000
  const first = await restart(pause)
  taken.push(first)
  // That may be 1.5 s by itself. If it is more than 2 s, the machine may have paused meanwhile, which it does not each
  // time.
  if (first > 2000) again.push(await restart(pause))
}
report(
  'G9',
  { restarts, 'ms until heard': Math.min(...taken), most: Math.max(...taken), 'connections lost': lost },
  {
    'subscribed again': [...taken, ...again].every(Number.isFinite),
    'within 2 s, or at least the second time': again.every((ms) => ms <= 2000),
    'no client notices': lost === 0,
    'the process stays': server.child.pid === pid && server.child.exitCode === null,
  },
)
socket.disconnect()
await server.stop()
redis.child.kill('SIGKILL')
rmSync(folder, { recursive: true, force: true })
