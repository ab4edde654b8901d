// What it is: nginx and Caddy in front of the binary, with the snippets of docs/server.md as they stand there.
// What it is not: a test of these proxies.
// Who calls it: `tests/run proxies`. The last line counts what passed.

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { io } from 'socket.io-client'
import { Server, binary, freePort, start, until } from '../figures/server.mjs'

const page = readFileSync(new URL('../../../docs/server.md', import.meta.url), 'utf8')
const folder = mkdtempSync(join(tmpdir(), 'proxies-'))

/** The code blocks of this kind, of which there are so many. */
function snippets(kind, count) {
  const blocks = [...page.matchAll(new RegExp('```' + kind + '\n(.*?)```', 'gs'))]
  assert.equal(blocks.length, count, `docs/server.md has ${count} blocks of ${kind}`)
  return blocks.map(([, text]) => text)
}

/** nginx with what stands in the location of its server, and beside that. */
function startNginx(port, location, beside) {
  const site = `server { listen 127.0.0.1:${port}; ${location} }`
  const head = `daemon off; pid ${folder}/nginx.pid; error_log stderr; events {}`
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const paths = temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')
  writeFileSync(`${folder}/nginx.conf`, `${head}\nhttp { access_log off; ${paths}\n${beside}\n${site} }`)
  return spawn('nginx', ['-e', 'stderr', '-c', `${folder}/nginx.conf`], { stdio: ['ignore', 'inherit', 'inherit'] })
}

const [several, single] = snippets('nginx', 2)
const [location, beside] = single.split('# Beside the server block:')

const proxies = {
  nginx(port, [server]) {
    return startNginx(port, location.replace('127.0.0.1:8000', server), beside)
  },
  'nginx before several servers'(port, servers) {
    const [upstream, pass] = several.split(/# In the location below.*\n/)
    const addresses = upstream.replace('10.0.0.11:8000', servers[0]).replace('10.0.0.12:8000', servers[1])
    const passed = location.replace('proxy_pass http://127.0.0.1:8000;', pass)
    return startNginx(port, passed, `${addresses}\n${beside}`)
  },
  caddy(port, [server]) {
    const [block] = snippets('caddy', 1)
    const site = block.replace('127.0.0.1:8000', server).replace('example.com', `http://127.0.0.1:${port}`)
    writeFileSync(`${folder}/Caddyfile`, `{\n\tadmin off\n\tauto_https off\n}\n${site}`)
    const env = { ...process.env, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
    const flags = ['run', '--adapter', 'caddyfile', '--config', `${folder}/Caddyfile`]
    return spawn('caddy', flags, { stdio: ['ignore', 'ignore', 'ignore'], env })
  },
}

function isOpen(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true) || socket.destroy())
    socket.on('error', () => resolve(false))
  })
}

const checks = {
  async 'a client that polls hears what is emitted'({ origin, server }) {
    const socket = io(origin, { transports: ['polling'], forceNew: true })
    await once(socket, 'connect')
    const heard = once(socket, 'news')
    await server.emit({ event: 'news', data: 1 })
    assert.deepEqual(await heard, [1])
    socket.disconnect()
  },
  async 'a client with default options moves on to a WebSocket'({ origin, server }) {
    const socket = io(origin, { forceNew: true })
    await once(socket, 'connect')
    if (socket.io.engine.transport.name === 'polling') await once(socket.io.engine, 'upgrade')
    assert.equal(socket.io.engine.transport.name, 'websocket')
    const heard = once(socket, 'news')
    await server.emit({ event: 'news', data: 2 })
    assert.deepEqual(await heard, [2])
    socket.disconnect()
  },
  async 'the doctor finds nothing wrong'({ origin }) {
    const { status, stdout } = spawnSync(binary(), ['doctor', '--quick', origin], { encoding: 'utf8' })
    assert.equal(status, 0, stdout)
    assert.ok(!/^(warn|FAIL)/m.test(stdout), stdout)
  },
  async "a page of the proxy's host is of the same origin, others are not"({ origin, port }) {
    for (const [page, status] of [[origin, 101], ['http://elsewhere.example', 403]]) {
      const socket = connect(port, '127.0.0.1')
      socket.write(
        `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\norigin: ${page}\r\n` +
          'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n' +
          'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      )
      const [head] = await once(socket, 'data')
      assert.ok(head.toString().startsWith(`HTTP/1.1 ${status} `), `${page}: ${head}`)
      socket.destroy()
    }
  },
}

// Two that are one, so that it is of no matter which one a client is on.
const path = join(folder, 'redis.sock')
const redis = await start(
  'redis-server',
  ['--port', '0', '--unixsocket', path, '--dir', folder, '--save', ''],
  'eady to accept connections',
)
const options = ['server.trusted_proxies=127.0.0.1', `redis.url=unix://${path}`, 'cluster.enabled=true']
const [server, other] = [await Server.start(options), await Server.start(options)]
const knows = async () => (await (await fetch(`${server.admin}/api/v1/stats`)).json()).cluster.servers.length === 1
assert.ok(await until(knows, 20), 'the servers know of each other')
let [passed, failed] = [0, 0]
for (const [name, run] of Object.entries(proxies)) {
  const port = await freePort()
  const child = run(port, [server, other].map(({ ports }) => `127.0.0.1:${ports[0]}`))
  const context = { origin: `http://127.0.0.1:${port}`, port, server }
  assert.ok(await until(() => isOpen(port), 20), `${name} listens`)
  for (const [check, body] of Object.entries(checks)) {
    const late = new Promise((_, reject) => setTimeout(reject, 20_000, new Error('too late')).unref())
    try {
      await Promise.race([body(context), late])
      passed++
    } catch (error) {
      failed++
      console.log(`not ok: ${name}: ${check}: ${error.stack}`)
    }
  }
  child.kill()
  await once(child, 'exit')
}
await server.stop()
await other.stop()
redis.child.kill('SIGKILL')
rmSync(folder, { recursive: true })
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed ? 1 : 0)
