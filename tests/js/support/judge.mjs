// One server as a row of the differential table sees it: requests go out as bytes, answers come back as lines.

import { request, text, UPGRADE, Wire } from './wire.mjs'

const EIO4 = 'EIO=4&transport=polling'

export class Judge {
  #server
  #wires = []

  constructor(server) {
    this.#server = server
  }

  get path() {
    return this.#server.path
  }

  /** A new connection. */
  wire(...bytes) {
    const wire = new Wire(this.#server.port)
    this.#wires.push(wire)
    return bytes.length > 0 ? wire.write(...bytes) : wire
  }

  cleanUp() {
    this.#wires.forEach((wire) => wire.cut())
  }

  /** A request on a connection of its own, and its answer. */
  ask(method, query, headers, body) {
    const wire = this.wire(request(method, `${this.path}?${query}`, headers, body))
    wire.headless = method === 'HEAD'
    return wire.answer()
  }

  get(query, headers, body) {
    return this.ask('GET', query, headers, body)
  }

  /** The body of a GET as it is. */
  async raw(target) {
    const response = await fetch(`${this.#server.origin}${target}`)
    return response.text()
  }

  /** Answers to these bytes until the connection ends. */
  all(...bytes) {
    return this.wire(...bytes).answers()
  }

  /** A request for an upgrade on a connection that is then returned. */
  dial(query, headers = UPGRADE, rest = '') {
    return this.wire(request('GET', `${this.path}?${query}`, headers), rest)
  }

  /** A WebSocket whose handshake succeeded, after its open packet if it is a new session. */
  async webSocket(query = 'EIO=4&transport=websocket', headers = UPGRADE, rest = '') {
    const wire = this.dial(query, headers, rest)
    const answer = await wire.answer()
    if (!answer.startsWith('101')) throw new Error(answer)
    if (!query.includes('sid=')) wire.opened = await wire.frame()
    return wire
  }

  /** A polling session. */
  async session(query = EIO4, headers = []) {
    const response = await fetch(`${this.#server.origin}${this.path}?${query}`, {
      headers: Object.fromEntries(headers.map((line) => line.split(': '))),
    })
    const body = await response.text()
    const sid = /\\?"sid\\?":\\?"([\w-]+)/.exec(body)?.[1]
    if (sid === undefined) throw new Error(`no handshake: ${body}`)
    return new Session(this, query, sid)
  }

  /** Whatever was sent before, on any connection, has been handled after this. Tells nothing. */
  async seen() {
    for (let i = 0; i < 10; i++) await this.get('')
    return []
  }

  /** `waits`, or what the answer is if it comes at once. */
  async waits(answer) {
    return Promise.race([answer, this.seen().then(() => 'waits')])
  }
}

export class Session {
  constructor(judge, query, sid) {
    this.judge = judge
    this.sid = sid
    this.query = `${query}&sid=${sid}`
    this.old = query.includes('EIO=3')
    this.webSocketQuery = this.query.replace('transport=polling', 'transport=websocket')
    this.target = `${judge.path}?${this.query}`
  }

  ask(method, headers, body) {
    return this.judge.ask(method, this.query, headers, body)
  }

  get(headers, body) {
    return this.ask('GET', headers, body)
  }

  post(body, headers) {
    return this.ask('POST', headers, body)
  }

  /** A GET that the server has seen; awaiting the result awaits only that. */
  async park(headers) {
    const answer = this.get(headers)
    await this.judge.seen()
    return { answer }
  }

  /** A WebSocket on this session whose probe was answered. */
  async probe() {
    const wire = await this.judge.webSocket(this.webSocketQuery)
    wire.write(text('2probe'))
    const answer = await wire.frame()
    if (answer !== '3probe') throw new Error(answer)
    return wire
  }

  /** A WebSocket that has taken the session over. */
  async upgraded() {
    const wire = await this.probe()
    wire.write(text('5'), text('4upgraded'))
    const echoed = await wire.frame()
    if (echoed !== '4upgraded') throw new Error(echoed)
    return wire
  }

  /** Whether polling works: `lives`, or why not. */
  async life() {
    const posted = await this.post(this.old ? '6:4alive' : '4alive')
    if (!posted.startsWith('200')) return posted
    const polled = await this.get()
    return polled.endsWith('4alive') ? 'lives' : polled
  }
}

/** Whether the session of this WebSocket works: `lives`, or what came instead of an echo. */
export async function lives(wire) {
  wire.write(text('4alive'))
  const next = await wire.frame()
  return next === '4alive' ? 'lives' : next
}
