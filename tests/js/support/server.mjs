// The server under test: a process of its own, ended by its pid whatever happens.
//
// By default our `conformance` binary (path in CONFORMANCE); with SERVER=reference the official
// server, which proves the tests themselves.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { once, settled } from './events.mjs'

const binary =
  process.env.CONFORMANCE ??
  fileURLToPath(new URL('../../../target/debug/conformance', import.meta.url))
const reference = fileURLToPath(new URL('../reference.mjs', import.meta.url))

/** Where a test asks this, ours deliberately differs from the official server, see `differs`. */
export const isReference = process.env.SERVER === 'reference'

/**
 * The expectation that holds for the server under test, where ours deliberately answers otherwise
 * than the official one. Every use names the row of the divergence (A7, C2, ...) in its test.
 */
export function differs({ ours, reference }) {
  return isReference ? reference : ours
}

/**
 * Starts the server for a whole test file: the one under test unless `official` says which.
 * Profile `eio-options` takes `options` in the words of the official server; `env` is for its environment.
 */
export async function serve(profile, { options = {}, env = {}, official = isReference } = {}) {
  const server = new Server(profile, { ...env, OPTIONS: JSON.stringify(options) }, official)
  after(() => server.stop())
  await server.start()
  return server
}

const servers = []

class Server {
  #child
  #profile
  #env
  #official
  #port = 0

  constructor(profile, env, official) {
    this.#profile = profile
    this.#env = env
    this.#official = official
    servers.push(this)
  }

  /** The first start takes any free port, later ones the same again. */
  async start() {
    const [command, args] = this.#official ? [process.execPath, [reference]] : [binary, []]
    if (!existsSync(command)) {
      throw new Error(`no server at ${command}: run \`cargo build --workspace\` or set CONFORMANCE`)
    }
    this.#child = spawn(command, args, {
      env: {
        ...process.env,
        // With several threads one may pause for long while others answer, and what `roundTrips` and `seen` wait for
        // is not seen.
        TOKIO_WORKER_THREADS: '1',
        ...this.#env,
        PROFILE: this.#profile,
        PORT: String(this.#port),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const lines = createInterface({ input: this.#child.stdout })
    const firstLine = new Promise((resolve, reject) => {
      lines.once('line', resolve)
      lines.once('close', () => reject(new Error('the server ended before it listened')))
    })
    const line = await settled(firstLine, 'line of the server')
    const [, port] = line.match(/^listening on 127\.0\.0\.1:(\d+)$/) ?? []
    if (port === undefined) {
      throw new Error(`expected the server to say where it listens, it said: ${line}`)
    }
    this.#port = Number(port)
  }

  /** Ends the process without a word to its clients. */
  async stop() {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit')
      this.#child.kill('SIGKILL')
      await exited
    }
  }

  /** At the end of this process, where nothing can be waited for. */
  kill() {
    this.#child?.kill('SIGKILL')
  }

  /** Freezes the process: its connections stay open and are silent. */
  freeze() {
    this.#child.kill('SIGSTOP')
  }

  thaw() {
    this.#child.kill('SIGCONT')
  }

  get port() {
    return this.#port
  }

  get path() {
    return this.#profile.startsWith('eio') ? '/engine.io/' : '/socket.io/'
  }

  get origin() {
    return `http://127.0.0.1:${this.#port}`
  }

  /** The address of a request, e.g. `httpUrl('EIO=4&transport=polling')`. */
  httpUrl(query) {
    return `${this.origin}${this.path}?${query}`
  }

  webSocketUrl(query) {
    return `ws://127.0.0.1:${this.#port}${this.path}?${query}`
  }
}

process.once('exit', () => servers.forEach((server) => server.kill()))

// The runner ends a file that hangs with SIGTERM, which by itself would skip the exit handlers.
process.once('SIGTERM', () => process.exit(143))
process.once('SIGINT', () => process.exit(130))
