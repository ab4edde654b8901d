// HTTP requests byte by byte, for what no client would send.

import { connect } from 'node:net'
import { once } from './events.mjs'

/** Sends a GET with these header lines and returns all that comes until the connection ends. */
export async function exchange(server, query, headers, rest = '') {
  const socket = connect(server.port, '127.0.0.1')
  const chunks = []
  socket.on('data', (chunk) => chunks.push(chunk))
  socket.on('error', () => {})
  const closed = once(socket, 'close')
  const lines = [`GET ${server.path}?${query} HTTP/1.1`, 'Host: a.test', ...headers, '', rest]
  socket.write(lines.join('\r\n'))
  await closed
  return Buffer.concat(chunks).toString('latin1')
}
