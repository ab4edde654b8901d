// The handlers of the profile bench, for the official server on Node and on Bun.

export function bench(io) {
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
}
