// A polling session spoken by hand, and single HTTP requests.

import http from 'node:http'
import { once, settled } from './events.mjs'

export const SEPARATOR = '\x1e'
export const UNKNOWN_SID = { code: 1, message: 'Session ID unknown' }
export const BAD_REQUEST = { code: 3, message: 'Bad request' }

const TEXT = { 'content-type': 'text/plain;charset=UTF-8' }

/** Status and body of an answer, the body parsed if it is JSON. */
export async function request(url, init) {
  const response = await fetch(url, { signal: AbortSignal.timeout(30_000), ...init })
  const text = await response.text()
  const json = text && response.headers.get('content-type')?.startsWith('application/json')
  return {
    status: response.status,
    headers: response.headers,
    body: json ? JSON.parse(text) : text,
  }
}

/**
 * Round trips that concern no session: what was sent or closed before them, on whatever
 * connection, the server has seen after them.
 */
export async function roundTrips(server) {
  for (let i = 0; i < 10; i++) await request(server.httpUrl(''))
}

/** Opens a session with the query `EIO=4&transport=polling`. */
export async function openPolling(server) {
  const { body } = await request(server.httpUrl('EIO=4&transport=polling'))
  return new Polling(server, JSON.parse(body.slice(1)))
}

class Polling {
  constructor(server, handshake) {
    this.server = server
    this.handshake = handshake
    this.url = server.httpUrl(`EIO=4&transport=polling&sid=${handshake.sid}`)
    this.webSocketUrl = server.webSocketUrl(`EIO=4&transport=websocket&sid=${handshake.sid}`)
  }

  /** One GET, as it is answered. */
  get() {
    return request(this.url)
  }

  post(body, headers = {}) {
    return request(this.url, {
      method: 'POST',
      body,
      headers: { ...TEXT, ...headers },
    })
  }

  /**
   * A POST that sends its body only when the server asks for it. A server may refuse a body before
   * it has come, and closing the connection on a client that still sends can cost it the answer.
   */
  offer(body) {
    const sent = http.request(this.url, {
      method: 'POST',
      agent: false,
      headers: { ...TEXT, 'content-length': Buffer.byteLength(body), 'expect': '100-continue' },
    })
    sent.once('continue', () => sent.end(body))
    return answer(sent).finally(() => sent.destroy())
  }

  /** A POST in chunks, without Content-Length, that goes on until it is answered. */
  stream(chunks) {
    const sent = http.request(this.url, { method: 'POST', agent: false, headers: TEXT })
    chunks.forEach((chunk) => sent.write(chunk))
    return answer(sent).finally(() => sent.destroy())
  }

  /** The packets of the next poll that has any but pings, which are answered. */
  async poll() {
    for (;;) {
      const { status, body } = await this.get()
      if (status !== 200) {
        throw new Error(`poll answered ${status} ${JSON.stringify(body)}`)
      }
      const packets = body.split(SEPARATOR)
      const rest = packets.filter((packet) => packet !== '2')
      if (rest.length < packets.length) {
        await this.post('3')
      }
      if (rest.length > 0) {
        return rest
      }
    }
  }

  /** Polls until `count` packets are there. */
  async packets(count) {
    const packets = []
    while (packets.length < count) {
      packets.push(...(await this.poll()))
    }
    return packets
  }

  /** A GET that waits at the server: `{ parked, abort }`, its answer and its end. */
  async parkGet() {
    const sent = http.get(this.url, { agent: false })
    const parked = answer(sent)
    await once(sent, 'finish')
    await roundTrips(this.server)
    return { parked, abort: () => sent.destroy() }
  }
}

function answer(sent) {
  const answered = new Promise((resolve, reject) => {
    sent.once('error', reject)
    sent.once('response', async (response) => {
      const chunks = await response.toArray()
      resolve({ status: response.statusCode, body: Buffer.concat(chunks).toString() })
    })
  })
  return settled(answered, 'answer to a poll')
}
