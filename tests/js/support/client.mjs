// The official client, over each way of connecting.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Manager } from 'socket.io-client'
import { once } from './events.mjs'

export const polling = { name: 'polling', transports: ['polling'], upgrades: false }
export const websocket = { name: 'websocket', transports: ['websocket'], upgrades: false }
export const upgrade = { name: 'upgrade', transports: ['polling', 'websocket'], upgrades: true }
export const ways = [polling, websocket, upgrade]

/** One test per way of connecting. */
export function testEachWay(name, body) {
  for (const way of ways) {
    test(`${name} [${way.name}]`, (t) => body(t, way))
  }
}

/** A connection of its own that does not reconnect unless asked to. */
export function manage(server, way, options = {}) {
  return new Manager(server.origin, {
    transports: way.transports,
    reconnection: false,
    ...options,
  })
}

/** A socket of the connection that is about to join `namespace`; disconnected with the test. */
export function join(t, manager, namespace, options) {
  const socket = manager.socket(namespace, options)
  t.after(() => socket.disconnect())
  return socket
}

/** A socket on a connection of its own that is about to connect. */
export function open(t, server, way, { namespace = '/', auth, ...options } = {}) {
  return join(t, manage(server, way, options), namespace, { auth })
}

/** A connected socket, after the upgrade if there is to be one. */
export async function connect(t, server, way, options) {
  const socket = open(t, server, way, options)
  await connected(socket, way)
  return socket
}

/** Waits for the CONNECT answer and the upgrade of a socket that has just been opened. */
export async function connected(socket, way) {
  const upgraded = way.upgrades && once(socket.io.engine, 'upgrade')
  await once(socket, 'connect')
  await upgraded
}

/** Sends `args` to the server's `echo` and returns what comes back. */
export function echo(socket, ...args) {
  const answer = once(socket, 'echo')
  socket.emit('echo', ...args)
  return answer
}

/**
 * A round trip: whatever the server had queued for this socket before it has arrived after it.
 * So silence can be asserted without waiting.
 */
export function fence(socket) {
  return socket.timeout(30_000).emitWithAck('ack-me')
}

/** The value with each kind of binary turned into a Buffer, to be compared. */
export function comparable(value) {
  if (value instanceof ArrayBuffer) {
    return Buffer.from(value)
  }
  if (ArrayBuffer.isView(value)) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  }
  if (Array.isArray(value)) {
    return value.map(comparable)
  }
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, comparable(each)]))
  }
  return value
}

/** The arguments of an event from a server with connection state recovery: the last one is an offset. */
export function withoutOffset(args) {
  assert.equal(typeof args.at(-1), 'string')
  assert.notEqual(args.at(-1), '')
  return args.slice(0, -1)
}
