// Proxies that stand for bad networks: one that makes WebSockets slow and leaves HTTP fast, so that upgrades take
// a while, one that breaks when it is told, and one that delays, splits, joins and cuts whatever passes.

import { connect, createServer } from 'node:net'
import { once } from './events.mjs'

/** Holds back whatever passes a WebSocket by `delay` ms, each way. To be used as a server. */
export async function slowWebSockets(t, server, delay) {
  const sockets = new Set()
  const proxy = createServer((near) => {
    const far = connect(server.port, '127.0.0.1')
    let wait = 0
    const pass = (from, to) => {
      sockets.add(from)
      from.on('error', () => to.destroy())
      from.on('close', () => later(() => to.end()))
      from.on('data', (chunk) => {
        if (from === near && isUpgrade(chunk)) {
          wait = delay
        }
        later(() => to.write(chunk))
      })
    }
    const later = (action) => (wait ? setTimeout(action, wait) : action())
    pass(near, far)
    pass(far, near)
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  t.after(() => {
    sockets.forEach((socket) => socket.destroy())
    proxy.close()
  })
  return { origin: `http://127.0.0.1:${proxy.address().port}` }
}

/**
 * Passes everything on until it is told otherwise: `cut` breaks all connections, `abandon` breaks them on the client's
 * side only, so that the server hears no end of them. New ones fail until `mend`. To be used as a server.
 */
export async function brittleNetwork(t, server) {
  const connections = new Set()
  let broken = false
  const proxy = createServer((near) => {
    near.on('error', () => {})
    if (broken) {
      near.destroy()
      return
    }
    const far = connect(server.port, '127.0.0.1')
    far.on('error', () => {})
    const connection = { near, far }
    connections.add(connection)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      from.on('data', (chunk) => to.write(chunk))
      from.on('close', () => connections.has(connection) && to.destroy())
    }
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const breakEach = (action) => () => {
    broken = true
    connections.forEach(action)
  }
  const cut = breakEach(({ near, far }) => {
    near.destroy()
    far.destroy()
  })
  const mend = () => {
    broken = false
  }
  const abandoned = []
  const abandon = breakEach((connection) => {
    connections.delete(connection)
    abandoned.push(connection.far)
    connection.near.destroy()
  })
  t.after(() => {
    cut()
    abandoned.forEach((far) => far.destroy())
    proxy.close()
  })
  return { origin: `http://127.0.0.1:${proxy.address().port}`, cut, mend, abandon }
}

/** Bytes of the frames `2probe`, which is masked, and `3probe`. */
const PROBE = { up: 12, down: 8 }

/**
 * Passes bytes on in pieces, each after a pause, as `random` says: pieces are as short as one byte, or all that has
 * come meanwhile. With `cut`, WebSockets are cut at a random byte, the last of `3probe` at the latest.
 * Returns `{ origin, log, close }`; the log has a line for each piece.
 */
export async function roughNetwork(server, random, { cut = false } = {}) {
  const network = new RoughNetwork(server.port, random, cut)
  await network.listen()
  return network
}

class RoughNetwork {
  log = []
  #server
  #random
  #cut
  #sockets = new Set()
  #started = performance.now()
  #connections = 0
  // Some networks are slow, some chop everything.
  #slowness
  #chopping

  constructor(port, random, cut) {
    this.#random = random
    this.#cut = cut
    this.#slowness = random.whole(0, 15)
    this.#chopping = random.next() * 0.5
    this.#server = createServer((near) => this.#accept(near, connect(port, '127.0.0.1')))
  }

  async listen() {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    this.origin = `http://127.0.0.1:${this.#server.address().port}`
  }

  close() {
    this.#sockets.forEach((socket) => socket.destroy())
    this.#server.close()
  }

  #accept(near, far) {
    const connection = { name: this.#connections++, near, far }
    for (const socket of [near, far]) {
      socket.setNoDelay(true)
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    }
    this.#pass(connection, 'up', near, far)
    this.#pass(connection, 'down', far, near)
  }

  #pass(connection, way, from, to) {
    let [waiting, ended, passed, timer] = [Buffer.alloc(0), false, 0, undefined]
    const step = () => {
      timer = undefined
      let size = waiting.length
      if (this.#random.chance(this.#chopping)) size = Math.min(size, this.#random.whole(1, 60))
      const limit = connection.cutting?.way === way ? connection.cutting.at - passed : Infinity
      const piece = waiting.subarray(0, Math.min(size, limit))
      waiting = waiting.subarray(piece.length)
      passed += piece.length
      if (piece.length > 0) {
        this.#note(connection, way, piece.toString('latin1'))
        to.write(piece)
      }
      if (limit <= size) {
        this.#note(connection, way, 'cut')
        connection.near.destroy()
        connection.far.destroy()
      } else if (waiting.length > 0) {
        later()
      } else if (ended) {
        to.end()
      }
    }
    const later = () => {
      timer ??= setTimeout(step, this.#random.whole(0, 1 + this.#slowness))
    }
    from.on('data', (chunk) => {
      if (this.#cut && way === 'up' && isUpgrade(chunk)) this.#decide(connection, chunk)
      waiting = Buffer.concat([waiting, chunk])
      later()
    })
    from.on('end', () => {
      ended = true
      later()
    })
    from.on('error', () => to.destroy())
    from.on('close', () => timer ?? to.end())
  }

  /** Where a WebSocket is cut: on its way up or down, in the head or in the probe. */
  #decide(connection, head) {
    const way = this.#random.chance(0.5) ? 'up' : 'down'
    // The answer's head: 129 bytes of the official server, more with a date.
    const length = way === 'up' ? head.length : 129
    connection.cutting = { way, at: this.#random.whole(0, length + PROBE[way]) }
  }

  #note(connection, way, what) {
    const ms = (performance.now() - this.#started).toFixed(1)
    this.log.push(`${ms} ms, connection ${connection.name} ${way}: ${JSON.stringify(what)}`)
  }
}

function isUpgrade(chunk) {
  return /^GET \S*transport=websocket/.test(chunk.toString('latin1'))
}
