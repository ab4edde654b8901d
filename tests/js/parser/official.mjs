// What the official parser makes of a sequence of messages, in the words of tests/src/decode.rs.

import { parse } from 'node:url'
import { Decoder } from 'socket.io-parser'

/** For each message `null`, the packet that it completes, or an error, which is the last. */
export function decode(protocol, messages) {
  const decoder = new Decoder()
  const results = []
  let packet = null
  decoder.on('decoded', (decoded) => (packet = decoded))
  for (const message of messages) {
    packet = null
    try {
      decoder.add(typeof message === 'string' ? message : Buffer.from(message))
    } catch (error) {
      results.push(error)
      break
    }
    results.push(packet && show(protocol, packet))
  }
  return results
}

function show(protocol, { type, nsp, id = null, data }) {
  const shown = { type, nsp }
  if (type > 1) shown.id = id
  if (data !== undefined) shown.data = plain(data)
  // The server, not the parser, takes the query of protocol 4 from the namespace.
  if (protocol === 4) {
    const { pathname, query } = parse(nsp, true)
    shown.nsp = pathname
    if (type === 0) delete shown.data
    if (type === 0 && Object.keys(query).length > 0) shown.data = { ...query }
  }
  return shown
}

/** The same with binary as our side writes it. */
function plain(data) {
  if (Buffer.isBuffer(data)) return { $binary: [...data] }
  if (Array.isArray(data)) return data.map(plain)
  if (typeof data !== 'object' || data === null) return data
  const entries = Object.entries(data).map(([key, value]) => [key, plain(value)])
  return Object.fromEntries(entries)
}
