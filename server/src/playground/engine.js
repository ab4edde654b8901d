// An Engine.IO v4 client: one session, by long polling, by websocket, or from one to the other.
// It knows nothing of Socket.IO: messages go in and out as text or bytes. One Engine is one
// session; who wants to reconnect makes a new one.

import { decodePayload, encodePayload, pollingText } from './packets.js';

const PATH = '/socket.io/';

/** Bytes a browser lets a request outlive its page with, less some room for its headers. */
const KEEPALIVE_BYTES = 60_000;

/**
 *   opening ──► polling                        choice "polling", or nothing to upgrade to
 *           ──► probing ──► pausing ──► websocket
 *           ──► websocket                      choice "websocket"
 *
 * probing: a websocket is tried while polling goes on. pausing: the websocket has answered; no new
 * request is made, and those under way are waited for. Either falls back to polling if the
 * websocket is lost. Every state may become closed.
 */
export class Engine {
  #state = 'opening';
  #choice;
  #on;
  #sid = null;
  #maxPayload = Infinity;
  #heartbeat = 0;
  /** Packets to send, oldest first. */
  #queue = [];
  #websocket = null;
  #abort = new AbortController();
  /** The loops that GET and POST, as promises that end with them and never fail. */
  #polling = Promise.resolve();
  #posting = null;
  #alarm;
  #probedAt = 0;

  /**
   * `choice` is "upgrade", "polling" or "websocket". `on` has a function for each thing to hear of:
   * `packet({ sent, transport, packet, part })` for all that passes (`part`: "2 of 3" in one body),
   * `open(handshake)`, `transport(name)`, `probe(name)`, `roundTrip(milliseconds)`, `message(data)`
   * and, last and once, `close(reason)`.
   */
  constructor(choice, on) {
    this.#choice = choice;
    this.#on = on;
  }

  open() {
    this.#on.transport(this.#choice === 'websocket' ? 'websocket' : 'polling');
    if (this.#choice === 'websocket') this.#openWebSocket();
    else this.#polling = this.#poll();
  }

  /** Queues a message: text or bytes. */
  send(data) {
    this.#push(typeof data === 'string' ? `4${data}` : data);
  }

  /** Sends what is queued, then ends the session. */
  close() {
    if (this.#state === 'websocket') {
      this.#drainToWebSocket();
    } else if (this.#sid !== null && this.#state !== 'closed') {
      const body = encodePayload(this.#tapPayload([...this.#queue.splice(0), '1'], true));
      const keepalive = body.length < KEEPALIVE_BYTES;
      // A second POST beside one under way would be an error; a failure has nobody left to tell.
      (this.#posting ?? Promise.resolve()).then(() => fetch(this.#url('polling'), { method: 'POST', body, keepalive }))
        .catch(() => {});
    }
    this.#end('forced close', this.#state === 'opening');
  }

  #push(packet) {
    this.#queue.push(packet);
    if (this.#state === 'websocket') this.#drainToWebSocket();
    else this.#posting ??= this.#post();
  }

  #drainToWebSocket() {
    for (const packet of this.#queue.splice(0)) this.#transmit(packet);
  }

  #transmit(packet) {
    this.#on.packet({ sent: true, transport: 'websocket', packet });
    this.#websocket.send(packet);
  }

  // Polling

  #mayRequest() {
    return this.#state === 'opening' || this.#state === 'polling' || this.#state === 'probing';
  }

  async #poll() {
    while (this.#mayRequest()) {
      const body = await this.#request('GET');
      if (body === null) return;
      for (const packet of this.#tapPayload(decodePayload(body), false)) this.#receive(packet, 'polling');
    }
  }

  /** Starts a task later, so that what is sent in one go travels in one body. */
  async #post() {
    await null;
    while (this.#queue.length > 0 && this.#mayRequest()) {
      const body = encodePayload(this.#tapPayload(this.#take(), true));
      if (await this.#request('POST', body) === null) break;
    }
    this.#posting = null;
  }

  /** The oldest queued packets that fit into one body; at least one. */
  #take() {
    let size = 0;
    const fits = this.#queue.findIndex((packet, index) => {
      size += new TextEncoder().encode(pollingText(packet)).length + 1;
      return index > 0 && size > this.#maxPayload;
    });
    return this.#queue.splice(0, fits === -1 ? this.#queue.length : fits);
  }

  /** The body of the answer; null if there is none, and then the session has ended. */
  async #request(method, body) {
    try {
      const response = await fetch(this.#url('polling'), { method, body, cache: 'no-store', signal: this.#abort.signal });
      const text = await response.text();
      if (response.ok) return text;
      this.#end(`transport error: HTTP ${response.status} ${text}`);
    } catch (error) {
      this.#end(`transport error: ${error.message}`);
    }
    return null;
  }

  #tapPayload(packets, sent) {
    packets.forEach((packet, index) => {
      const part = packets.length > 1 ? `${index + 1} of ${packets.length}` : undefined;
      this.#on.packet({ sent, transport: 'polling', packet, part });
    });
    return packets;
  }

  // Websocket

  #openWebSocket() {
    const websocket = new WebSocket(this.#url('websocket'));
    this.#websocket = websocket;
    websocket.binaryType = 'arraybuffer';
    websocket.onopen = () => {
      if (this.#state !== 'probing') return;
      this.#probedAt = performance.now();
      this.#transmit('2probe');
    };
    websocket.onmessage = ({ data }) => {
      const packet = typeof data === 'string' ? data : new Uint8Array(data);
      this.#on.packet({ sent: false, transport: 'websocket', packet });
      this.#receive(packet, 'websocket');
    };
    websocket.onclose = ({ code }) => {
      if (this.#state === 'probing') this.#fallBack();
      else if (this.#state !== 'pausing') this.#end(`transport close: websocket code ${code}`);
    };
  }

  /** The websocket has answered the probe: wait for the requests under way, then move over. */
  async #upgrade() {
    this.#on.roundTrip(performance.now() - this.#probedAt);
    this.#state = 'pausing';
    await Promise.all([this.#polling, this.#posting]);
    if (this.#state !== 'pausing') return;
    if (this.#websocket.readyState !== WebSocket.OPEN) {
      this.#fallBack();
      this.#polling = this.#poll();
      this.#posting ??= this.#post();
      return;
    }
    this.#state = 'websocket';
    this.#transmit('5');
    this.#on.transport('websocket');
    this.#drainToWebSocket();
  }

  #fallBack() {
    this.#state = 'polling';
    this.#websocket = null;
    this.#on.probe(null);
  }

  // Session

  #receive(packet, transport) {
    if (this.#state === 'closed') return;
    if (typeof packet !== 'string') {
      this.#on.message(packet);
      return;
    }
    switch (packet[0]) {
      case '0': return this.#handshake(packet.slice(1));
      case '1': return this.#end('transport close: the server closed the session');
      case '2':
        this.#rearm();
        return this.#push(`3${packet.slice(1)}`);
      case '3':
        if (packet === '3probe' && transport === 'websocket' && this.#state === 'probing') this.#upgrade();
        return undefined;
      case '4': return this.#on.message(packet.slice(1));
      case '6': return undefined;
      default: return this.#end(`parse error: a packet of type “${packet[0]}”`);
    }
  }

  #handshake(json) {
    let handshake;
    try {
      handshake = JSON.parse(json);
    } catch {
      this.#end('parse error: the handshake is no JSON');
      return;
    }
    const { sid, upgrades, pingInterval, pingTimeout, maxPayload } = handshake;
    this.#sid = sid;
    this.#maxPayload = maxPayload;
    this.#heartbeat = pingInterval + pingTimeout;
    this.#rearm();
    this.#state = this.#choice === 'websocket' ? 'websocket' : 'polling';
    this.#on.open(handshake);
    if (this.#choice === 'upgrade' && upgrades.includes('websocket') && this.#state === 'polling') {
      this.#state = 'probing';
      this.#on.probe('websocket');
      this.#openWebSocket();
    }
  }

  /** engine.io-protocol v4, "Heartbeat": no ping within interval + timeout means it is lost. */
  #rearm() {
    clearTimeout(this.#alarm);
    this.#alarm = setTimeout(() => this.#end('ping timeout'), this.#heartbeat);
  }

  #end(reason, abort = true) {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    clearTimeout(this.#alarm);
    this.#websocket?.close();
    // A poll that waits on a session we closed ourselves is answered with a noop: let it be seen.
    if (abort) this.#abort.abort();
    this.#on.close(reason);
  }

  #url(transport) {
    const url = new URL(PATH, location.href);
    if (transport === 'websocket') url.protocol = url.protocol.replace('http', 'ws');
    url.search = new URLSearchParams({ EIO: 4, transport, ...(this.#sid === null ? {} : { sid: this.#sid }) });
    return url;
  }
}
