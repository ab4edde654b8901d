// A WebSocket spoken by hand: its frames in the order they came.

import { WebSocket } from 'ws'
import { once, settled } from './events.mjs'

/** Connects; text frames are strings, binary ones Buffers. Pings of the engine are answered. */
export function openFrames(t, url, { heartbeat = true, ...options } = {}) {
  return new Frames(dial(t, url, options), heartbeat)
}

/** How an upgrade ends that must not succeed: `{ status, body }` of its refusal. */
export async function refusal(t, url, options) {
  const socket = dial(t, url, options)
  const [, response] = await once(socket, 'unexpected-response')
  const chunks = []
  response.on('data', (chunk) => chunks.push(chunk))
  await once(response, 'end')
  return {
    status: response.statusCode,
    headers: response.headers,
    body: Buffer.concat(chunks).toString(),
  }
}

/** Waits until a WebSocket is refused or closed, as servers may do either. */
export async function turnedAway(t, url) {
  await once(dial(t, url), 'close')
}

function dial(t, url, options) {
  const socket = new WebSocket(url, options)
  t.after(() => socket.terminate())
  // An error is followed by `close`, which is what the tests wait for.
  socket.on('error', () => {})
  return socket
}

class Frames {
  #arrived = []
  #waiting = []

  constructor(socket, heartbeat) {
    this.socket = socket
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }))
    })
    this.socket.on('message', (data, isBinary) => {
      const frame = isBinary ? data : data.toString()
      if (heartbeat && frame === '2') {
        this.socket.send('3')
      } else if (this.#waiting.length > 0) {
        this.#waiting.shift()(frame)
      } else {
        this.#arrived.push(frame)
      }
    })
  }

  opened() {
    return once(this.socket, 'open')
  }

  send(frame) {
    this.socket.send(frame)
  }

  next() {
    if (this.#arrived.length > 0) {
      return Promise.resolve(this.#arrived.shift())
    }
    const frame = new Promise((resolve) => this.#waiting.push(resolve))
    return settled(Promise.race([frame, this.closed.then(refuse)]), 'frame')
  }

  async take(count) {
    const frames = []
    while (frames.length < count) {
      frames.push(await this.next())
    }
    return frames
  }

  /** `{ code, reason }` of the close frame. */
  end() {
    return settled(this.closed, 'close')
  }

  /** What arrived and nobody has asked for. */
  get pending() {
    return this.#arrived
  }
}

function refuse({ code }) {
  throw new Error(`closed with ${code} instead of a frame`)
}
