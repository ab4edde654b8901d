// A proxy that makes WebSockets slow and leaves HTTP fast, so that upgrades take a while.

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

function isUpgrade(chunk) {
  return /^GET \S*transport=websocket/.test(chunk.toString('latin1'))
}
