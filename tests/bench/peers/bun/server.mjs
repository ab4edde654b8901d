// The official server on its Bun engine, with the contract of the profiles bench and bench-msgpack, else with default
// options.

import { Server as Engine } from '@socket.io/bun-engine'
import { Server } from 'socket.io'
import msgpack from 'socket.io-msgpack-parser'

const io = new Server(process.env.PROFILE === 'bench-msgpack' ? { parser: msgpack } : {})
// The engine has no path of its own accord that clients would find.
const engine = new Engine({ path: '/socket.io/' })
io.bind(engine)
io.on('connection', (socket) => {
  socket.on('echo', (text) => socket.emit('echo', text))
  socket.on('ack', (text, ack) => ack(text))
  socket.on('bin', (data) => socket.emit('bin', data))
  socket.on('join', (room, ack) => {
    socket.join(room)
    ack()
  })
  socket.on('cast', (room, text) => io.to(room).emit('msg', text))
  socket.on('ask', (room, text, ack) => {
    io.to(room)
      .timeout(10_000)
      .emit('question', text, (_error, answers) => ack(answers.length))
  })
})

export default { hostname: '127.0.0.1', port: Number(process.env.PORT), ...engine.handler() }
