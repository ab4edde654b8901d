// A Redis of its own for a test file, and the binary that listens to it.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { settled } from './events.mjs'

const binary = fileURLToPath(new URL('../../../target/debug/socketio-server', import.meta.url))

const children = []

/** Starts Redis; returns the path of its socket. */
export async function startRedis() {
  const folder = mkdtempSync(join(tmpdir(), 'socketio-redis-'))
  const path = join(folder, 'redis.sock')
  const child = start('redis-server', ['--port', '0', '--unixsocket', path, '--dir', folder, '--save', ''])
  after(() => rmSync(folder, { recursive: true, force: true }))
  await line(child, [child.stdout], /ready to accept connections/i)
  return path
}

/** Starts the binary beside it, with what else there is to say; returns its origin, and that of its API. */
export async function startServer(path, ...options) {
  const ports = ['--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0']
  const child = start(binary, [...ports, '--redis', `unix://${path}`, ...options])
  const [listening, admin] = await Promise.all([
    line(child, [child.stdout], /listening on (http:\S+)/),
    line(child, [child.stdout], /admin on (http:\S+)/),
    line(child, [child.stderr], /Redis is there/),
  ])
  return { origin: listening[1], api: `${admin[1]}/api/v1` }
}

function start(command, args) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  after(() => child.kill('SIGKILL'))
  return child
}

/** The first line that matches. */
function line(child, streams, pattern) {
  const found = new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new Error(`${error.message}; on Debian: sudo apt-get install redis-server`)))
    child.on('exit', (code) => reject(new Error(`${child.spawnfile} ended with ${code}`)))
    for (const stream of streams) {
      createInterface({ input: stream }).on('line', (text) => {
        const match = text.match(pattern)
        if (match) resolve(match)
      })
    }
  })
  return settled(found, String(pattern))
}

process.once('exit', () => children.forEach((child) => child.kill('SIGKILL')))
