// A Socket.IO v5 client for one namespace, `/`: CONNECT, events, acks, binary attachments, and
// reconnecting. What a program would take socket.io-client for; written out to be read.

import { Engine } from './engine.js';
import { decode, encode, parse } from './packets.js';

/** The first wait before reconnecting, doubled with each attempt up to the last; milliseconds. */
const FIRST_DELAY = 1000;
const LAST_DELAY = 5000;

/**
 *   disconnected ──► connecting ──► connected
 *                        ▲  │           │
 *                        │  ▼           ▼         the transport was lost
 *                        waiting ◄──────┘
 *
 * A DISCONNECT or CONNECT_ERROR packet, or disconnect(), leads from anywhere to disconnected, and
 * there it stays: the server or the user wanted it so.
 */
export class Socket {
  #on;
  #state = 'disconnected';
  #choice = 'upgrade';
  #engine = null;
  #attempt = 0;
  #retry;
  /** Ack id -> who waits for it. */
  #acks = new Map();
  #nextAck = 0;
  /** A decoded packet some attachments of which are still to come, and those that came. */
  #partial = null;

  /**
   * `on` has a function for each thing to hear of: `state(name, detail, delay)` (detail: why;
   * delay: milliseconds until the next attempt), `connected(id)`, `event(name, args)`,
   * `handshake(values)`, and an Engine's `packet`, `transport`, `probe` and `roundTrip`.
   */
  constructor(on) {
    this.#on = on;
  }

  /** Events may be sent. */
  get connected() {
    return this.#state === 'connected';
  }

  /** Connected, or trying to be. */
  get active() {
    return this.#state !== 'disconnected';
  }

  /** Connects by "upgrade", "polling" or "websocket"; at once, if it was waiting to try again. */
  connect(choice) {
    if (this.#state === 'connecting' || this.connected) return;
    this.#choice = choice;
    this.#attempt = 0;
    this.#open();
  }

  disconnect() {
    if (this.connected) this.#send({ type: 'DISCONNECT' });
    this.#leave('you disconnected');
  }

  /** Sends an event that asks for no answer. */
  emit(name, args) {
    this.#send({ type: 'EVENT', data: [name, ...args] });
  }

  /**
   * Sends an event that asks for an ack; `done(error, args, milliseconds)` hears the answer, or
   * that the connection was lost before. A callback and not a promise: a promise would hear of it
   * only after the events that came in the same body, and see the answer as the newest of them.
   */
  request(name, args, done) {
    const ack = this.#nextAck++;
    const sentAt = performance.now();
    this.#acks.set(ack, (error, answer) => {
      const milliseconds = performance.now() - sentAt;
      if (!error) this.#on.roundTrip(milliseconds);
      done(error, answer, milliseconds);
    });
    this.#send({ type: 'EVENT', ack, data: [name, ...args] });
  }

  #open() {
    clearTimeout(this.#retry);
    this.#partial = null;
    this.#become('connecting', this.#attempt > 0 ? `attempt ${this.#attempt}` : '');
    this.#engine = new Engine(this.#choice, {
      packet: this.#on.packet,
      transport: this.#on.transport,
      probe: this.#on.probe,
      roundTrip: this.#on.roundTrip,
      open: (handshake) => {
        this.#on.handshake(handshake);
        this.#send({ type: 'CONNECT' });
      },
      message: (data) => this.#receive(data),
      close: (reason) => this.#lost(reason),
    });
    this.#engine.open();
  }

  #send(packet) {
    const { text, attachments } = encode(packet);
    this.#engine.send(text);
    for (const attachment of attachments) this.#engine.send(attachment);
  }

  #receive(data) {
    let complete;
    try {
      complete = this.#assemble(data);
    } catch (error) {
      this.#leave(`parse error: ${error.message}`);
      return;
    }
    if (complete) this.#handle(complete.packet, complete.data);
  }

  /** Text starts a packet, bytes go on with it; null until its last attachment is there. */
  #assemble(data) {
    if (typeof data === 'string') {
      this.#partial = { packet: decode(data), attachments: [] };
    } else if (this.#partial) {
      this.#partial.attachments.push(data);
    } else {
      throw new SyntaxError('an attachment without its packet');
    }
    const { packet, attachments } = this.#partial;
    if (attachments.length < packet.attachments) return null;
    this.#partial = null;
    return { packet, data: parse(packet.json, attachments) };
  }

  #handle({ type, ack }, data) {
    switch (type) {
      case 'CONNECT':
        this.#attempt = 0;
        this.#become('connected', '');
        return this.#on.connected(data.sid);
      case 'DISCONNECT':
        return this.#leave('the server disconnected this socket');
      case 'CONNECT_ERROR':
        return this.#leave(`the server refused: ${data.message}`);
      case 'EVENT':
      case 'BINARY_EVENT':
        // The server may ask for an ack, too; an empty one keeps it from waiting.
        if (ack !== undefined) this.#send({ type: 'ACK', ack, data: [] });
        return this.#on.event(data[0], data.slice(1));
      default:
        return this.#answered(ack, data);
    }
  }

  #answered(ack, args) {
    const done = this.#acks.get(ack);
    this.#acks.delete(ack);
    done?.(null, args);
  }

  /** Ends it for good: nothing is tried again. */
  #leave(reason) {
    clearTimeout(this.#retry);
    this.#become('disconnected', reason);
    this.#engine?.close();
    this.#engine = null;
  }

  #lost(reason) {
    const waiting = [...this.#acks.values()];
    this.#acks.clear();
    for (const done of waiting) done(new Error('the connection was lost before the ack came'));
    if (this.#state === 'disconnected') return;
    // Many clients lose a server at once; chance keeps them from coming back at once.
    const delay = Math.min(LAST_DELAY, FIRST_DELAY * 2 ** this.#attempt) * (0.5 + Math.random());
    this.#attempt += 1;
    this.#become('waiting', reason, delay);
    this.#retry = setTimeout(() => this.#open(), delay);
  }

  #become(state, detail, delay) {
    this.#state = state;
    this.#on.state(state, detail, delay);
  }
}
