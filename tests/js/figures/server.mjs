// What it is: the binary as a process that these figures are of.
// What it is not: the server in a test's own process.
// Who calls it: the scripts beside it.

import { spawn } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const root = new URL('../../../', import.meta.url).pathname

/** The binary: BINARY, or what was built last for release, or else for tests. */
export function binary() {
  const built = ['release', 'debug'].map((profile) => `${root}target/${profile}/socketio-server`)
  const found = process.env.BINARY ?? built.find(existsSync)
  if (!found) throw new Error('cargo build --release first')
  return found
}

/** A port that nobody listens on. It is below those that the system gives to whoever wants any: nobody has it then. */
export async function freePort() {
  const port = 10_000 + Math.floor(Math.random() * 20_000)
  const server = createServer()
  const isFree = await new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => resolve(true))
  })
  if (!isFree) return freePort()
  server.close()
  await once(server, 'close')
  return port
}

/** A program beside the server, and the first line of what it prints that has this in it. */
export async function start(command, args, word) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  process.once('exit', () => child.kill('SIGKILL'))
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.includes(word)) {
      child.stdout.resume()
      return { child, line, ended: once(child, 'exit') }
    }
  }
  throw new Error(`${command} ended`)
}

/** Starts the application that tests have for hooks, on this port; it prints the port once it listens. */
export function startApp(port, secret) {
  return start('python3', [`${root}tests/backend/app.py`, `${port}`, secret], '"port"')
}

/** A running server with these options, on given ports so that it can be started again. */
export class Server {
  constructor(options, ports, level) {
    this.options = options
    this.ports = ports
    this.level = level
    this.log = []
  }

  /** What it logs at this level is in `log`, line by line. */
  static async start(options = [], level = 'error') {
    const server = new Server(options, [await freePort(), await freePort()], level)
    await server.start()
    return server
  }

  get origin() {
    return `http://127.0.0.1:${this.ports[0]}`
  }

  get admin() {
    return `http://127.0.0.1:${this.ports[1]}`
  }

  async start() {
    const [clients, operators] = this.ports.map((port) => `127.0.0.1:${port}`)
    const set = this.options.flatMap((option) => ['--set', option])
    const flags = ['--listen', clients, '--admin-listen', operators, '--log-level', this.level, ...set]
    const child = spawn(binary(), flags, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.child = child
    process.once('exit', () => child.kill('SIGKILL'))
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.log.push(line)
      if (this.level === 'error') console.error(line)
    })
    this.ended = once(child, 'exit')
    const lines = createInterface({ input: child.stdout })
    for await (const line of lines) {
      if (line.trimStart().startsWith('open files ')) break
    }
    // What else it prints goes nowhere.
    child.stdout.resume()
  }

  /** Asks it to end, and waits until it has. */
  async stop(signal = 'SIGTERM') {
    this.child.kill(signal)
    await this.ended
  }

  async metric(name) {
    const text = await (await fetch(`${this.admin}/metrics`)).text()
    const line = text.split('\n').find((line) => line.startsWith(name))
    return line ? Number(line.slice(line.lastIndexOf(' ') + 1)) : 0
  }

  /** Open descriptors, but for those of the connections that ask. */
  descriptors() {
    return readdirSync(`/proc/${this.child.pid}/fd`).length
  }

  /** Resident memory in MB. */
  resident() {
    const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8'))
    return Number(kilobytes) / 1024
  }

  /** Processor time so far, in seconds. */
  processorTime() {
    const stat = readFileSync(`/proc/${this.child.pid}/stat`, 'utf8')
    const [, , , , , , , , , , , user, system] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(user) + Number(system)) / 100
  }

  emit(op) {
    const request = { method: 'POST', body: JSON.stringify(op) }
    return fetch(`${this.admin}/api/v1/emit`, request).then((answer) => answer.json())
  }
}

/** The value that this part of all values does not exceed. */
export function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)]
}

/** Waits until this holds, and says whether it did in time. */
export async function until(condition, seconds) {
  const end = performance.now() + seconds * 1000
  while (!(await condition())) {
    if (performance.now() > end) return false
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return true
}

/** Prints a line of figures, and has the process fail if a promise is broken. */
export function report(name, figures, promises) {
  const shown = Object.entries(figures).map(([key, value]) => `${key} ${Number.isInteger(value) ? value : value.toFixed(2)}`)
  const broken = Object.entries(promises).filter(([, kept]) => !kept).map(([promise]) => promise)
  console.log(`${name}: ${shown.join(', ')}${broken.length ? `; BROKEN: ${broken.join('; ')}` : ''}`)
  process.exitCode = broken.length ? 1 : process.exitCode
}
