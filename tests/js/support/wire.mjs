// One TCP connection, byte by byte: what is sent is literal, what comes back is read as HTTP answers
// and as WebSocket frames, and told as one line each, so that two servers can be compared.

import { connect } from 'node:net'
import { gunzipSync, inflateSync } from 'node:zlib'
import { settled } from './events.mjs'

/** Headers that a client acts on. Of `connection` only `close` is told: the rest is the default. */
const TOLD =
  /^(content-type|content-encoding|cache-control|set-cookie|vary|allow|connection|access-control-.*|sec-websocket-(version|protocol|extensions)|x-xss-protection)$/

export const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
export const UPGRADE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  `Sec-WebSocket-Key: ${KEY}`,
]

/** A request, head and body as they go over the line. */
export function request(method, target, headers = [], body = '') {
  const length = body.length > 0 || method === 'POST'
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body)
  const lines = [`${method} ${target} HTTP/1.1`, 'Host: a.test', ...headers]
  if (length && !headers.some((line) => /^(content-length|transfer-encoding):/i.test(line))) {
    lines.push(`Content-Length: ${bytes.length}`)
  }
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), bytes])
}

/** A masked frame; `payload` is text or bytes. */
export function frame(opcode, payload = '', { fin = true, rsv = 0, masked = true } = {}) {
  const data = Buffer.from(payload)
  const length =
    data.length < 126
      ? [data.length]
      : data.length < 65_536
        ? [126, data.length >> 8, data.length & 0xff]
        : [127, 0, 0, 0, 0, ...u32(data.length)]
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode, (masked ? 0x80 : 0) | length[0]]
  // A mask of zeros leaves the payload readable in traces.
  return Buffer.concat([
    Buffer.from([...head, ...length.slice(1), ...(masked ? u32(0) : [])]),
    data,
  ])
}

export const text = (payload, options) => frame(1, payload, options)
export const binary = (payload, options) => frame(2, payload, options)
export const closing = (code, reason = '') =>
  frame(
    8,
    code === undefined
      ? ''
      : Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]),
  )

function u32(value) {
  return [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff]
}

export class Wire {
  /** The head of the last answer. */
  head

  /** Of the session that this WebSocket opened, known after the open packet. */
  sid

  #socket
  #bytes = Buffer.alloc(0)
  #ended = false
  #wake = () => {}

  constructor(port) {
    this.#socket = connect(port, '127.0.0.1')
    this.#socket.setNoDelay(true)
    this.#socket.on('data', (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk])
      this.#wake()
    })
    this.#socket.on('error', () => {})
    for (const event of ['end', 'close']) {
      this.#socket.on(event, () => {
        this.#ended = true
        this.#wake()
      })
    }
  }

  write(...bytes) {
    this.#socket.write(Buffer.concat(bytes.map((part) => Buffer.from(part))))
    return this
  }

  cut() {
    this.#socket.destroy()
  }

  reset() {
    this.#socket.resetAndDestroy()
  }

  /** The next answer, told in a line; `end` when the connection ends before. */
  async answer() {
    const head = await this.#until(() => {
      const end = this.#bytes.indexOf('\r\n\r\n')
      return end < 0 ? undefined : this.#take(end + 4).toString('latin1')
    }, 'answer')
    if (head === undefined) return 'end'
    this.head = head
    const [start, ...lines] = head.trimEnd().split('\r\n')
    const status = Number(start.split(' ')[1])
    const headers = lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    })
    const body = await this.#body(status, new Map(headers))
    return told(status, headers, body)
  }

  async #body(status, headers) {
    if (status < 200 || status === 204 || status === 304 || this.headless) return Buffer.alloc(0)
    const exactly = (size) =>
      this.#until(() => (this.#bytes.length < size ? undefined : this.#take(size)), `${size} bytes`)
    if (headers.has('content-length')) {
      return (await exactly(Number(headers.get('content-length')))) ?? Buffer.from('(cut off)')
    }
    if (headers.get('transfer-encoding') === 'chunked') {
      const chunks = []
      for (;;) {
        const line = await this.#until(() => {
          const end = this.#bytes.indexOf('\r\n')
          return end < 0 ? undefined : this.#take(end + 2).toString()
        }, 'chunk')
        if (line === undefined) return Buffer.from('(cut off)')
        const chunk = await exactly(Number.parseInt(line, 16) + 2)
        if (line.startsWith('0')) return Buffer.concat(chunks)
        chunks.push(chunk.subarray(0, -2))
      }
    }
    await this.end()
    return this.#take(this.#bytes.length)
  }

  /** The next frame: its text, `<hex>` for binary, `close <code>`; `end` when there is none. */
  async frame() {
    const next = await this.#until(() => {
      const [first, second] = this.#bytes
      if (second === undefined) return undefined
      let [at, size] = [2, second & 0x7f]
      if (size === 126)
        [at, size] = [4, this.#bytes.length < 4 ? Infinity : this.#bytes.readUInt16BE(2)]
      if (size === 127)
        [at, size] = [
          10,
          this.#bytes.length < 10 ? Infinity : Number(this.#bytes.readBigUInt64BE(2)),
        ]
      if (this.#bytes.length < at + size) return undefined
      return { first, payload: this.#take(at + size).subarray(at) }
    }, 'frame')
    if (next === undefined) return 'end'
    const { first, payload } = next
    switch (first) {
      case 0x81:
        this.sid ??= /"sid":"([^"]+)"/.exec(payload)?.[1]
        return shorten(payload.toString())
      case 0x82:
        return shorten(`<${payload.toString('hex')}>`)
      case 0x88: {
        // The closing handshake, as every client does it.
        this.write(frame(8, payload))
        const reason = payload.length > 2 ? ` ${payload.subarray(2)}` : ''
        return payload.length < 2 ? 'close' : `close ${payload.readUInt16BE(0)}${reason}`
      }
      case 0x89:
        return `ws ping ${payload}`
      case 0x8a:
        return `ws pong ${payload}`
      default:
        return `frame ${first.toString(16)} ${payload.toString('hex')}`
    }
  }

  async frames(count) {
    const frames = []
    while (frames.length < count) frames.push(await this.frame())
    return frames
  }

  /** All frames until the WebSocket is closed or the connection ends, the last one being how. */
  async last() {
    const frames = []
    for (;;) {
      const next = await this.frame()
      frames.push(next)
      if (next === 'end' || next.startsWith('close')) return frames
    }
  }

  /** All answers until the connection ends; it has to. */
  async answers() {
    const answers = []
    for (;;) {
      const next = await this.answer()
      answers.push(next)
      if (next === 'end') return answers
    }
  }

  /** Waits for the end of the connection; what comes before it is left to be read. */
  end() {
    return this.#until(() => (this.#ended ? 'end' : undefined), 'end')
  }

  #take(count) {
    const taken = this.#bytes.subarray(0, count)
    this.#bytes = this.#bytes.subarray(count)
    return taken
  }

  /** What `read` gives once it gives anything; undefined when the connection ends before. */
  async #until(read, what) {
    const reading = (async () => {
      for (;;) {
        const value = read()
        if (value !== undefined || this.#ended) return value
        await new Promise((resolve) => (this.#wake = resolve))
      }
    })()
    return settled(reading, what)
  }
}

function told(status, headers, body) {
  const names = headers
    .filter(([name, value]) => TOLD.test(name) && !(name === 'connection' && !/close/i.test(value)))
    .map(([name, value]) => `${name}: ${value.replace('utf-8', 'UTF-8')}`)
    .sort()
  const encoding = headers.find(([name]) => name === 'content-encoding')?.[1]
  const plain =
    encoding === 'gzip' ? gunzipSync(body) : encoding === 'deflate' ? inflateSync(body) : body
  return [`${status}`, ...names.map((name) => `[${name}]`), shorten(plain.toString())]
    .join(' ')
    .trimEnd()
}

/** Ids are drawn, and long echoes tell nothing. */
function shorten(line) {
  const known = line.replace(/(\\?"sid\\?":\\?")[\w-]+/g, '$1<sid>')
  return known.length <= 400 ? known : `${known.slice(0, 40)}...${known.length}`
}
