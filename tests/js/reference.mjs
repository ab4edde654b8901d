// The conformance profiles, served by the official server: what the tests are proved against.
//
//     PROFILE=smoke PORT=0 node reference.mjs
//
// prints `listening on 127.0.0.1:<port>` once it takes connections.

import { createServer } from 'node:http'
import { Server as EngineServer } from 'engine.io'
import { Server as SocketServer } from 'socket.io'
import msgpack from 'socket.io-msgpack-parser'
import { bench } from './bench.mjs'

/** What the environment says, as with our profiles. */
function milliseconds(variable, otherwise) {
  return Number(process.env[variable] ?? otherwise)
}

function eio(http, allowEIO3 = false) {
  const engine = new EngineServer({
    pingInterval: 300,
    pingTimeout: milliseconds('PING_TIMEOUT', 200),
    maxHttpBufferSize: 1_000_000,
    allowEIO3,
  })
  engine.attach(http, { path: '/engine.io/' })
  engine.on('connection', (socket) => {
    socket.on('message', (data) => socket.send(data))
  })
}

function eioClient(http) {
  const parameter = (req, name) => new URL(req.url, 'http://a.test').searchParams.get(name)
  const engine = new EngineServer({
    pingInterval: 500,
    maxHttpBufferSize: 100,
    allowRequest: (req, decide) => decide(null, parameter(req, 'deny') === null),
  })
  engine.attach(http, { path: '/engine.io/' })
  engine.on('initial_headers', (headers, req) => {
    if (parameter(req, 'transport') === 'polling') {
      headers['Set-Cookie'] = [
        '1=1; Max-Age=86400',
        '2=2; Path=/; HttpOnly; Secure; SameSite=Strict',
        '3=3; Max-Age=0',
        `4=4; Expires=${new Date().toUTCString()}`,
      ]
    }
  })
  engine.on('connection', (socket) => {
    socket.send('hi')
    socket.on('message', (data) => {
      if (data === 'sendHeaders') {
        socket.send(JSON.stringify(socket.transport.dataReq.headers))
      } else if (data === 'give binary') {
        socket.send(Buffer.from([0, 1, 2, 3, 4]))
      } else if (data === 'give utf8') {
        socket.send('пойду спать всем спокойной ночи')
      } else {
        socket.send(data)
      }
    })
  })
}

function eioOptions(http) {
  const options = JSON.parse(process.env.OPTIONS ?? '{}')
  const engine = new EngineServer({
    allowRequest: (req, decide) => {
      const words = new URL(req.url, 'http://a.test').searchParams.get('deny')
      decide(words, words === null)
    },
    ...options,
  })
  http.on('request', (_req, res) => res.writeHead(404).end())
  engine.attach(http, { path: '/engine.io/', addTrailingSlash: options.addTrailingSlash })
  engine.on('connection', (socket) => {
    socket.on('message', (data) => (data === 'close' ? socket.close() : socket.send(data)))
  })
}

function sio(http, allowEIO3 = false) {
  const io = new SocketServer(http, {
    pingInterval: 300,
    pingTimeout: milliseconds('PING_TIMEOUT', 200),
    maxHttpBufferSize: 1_000_000,
    connectTimeout: milliseconds('CONNECT_TIMEOUT', 1000),
    allowEIO3,
  })
  for (const name of ['/', '/custom']) {
    io.of(name).on('connection', (socket) => {
      socket.emit('auth', socket.handshake.auth)
      socket.on('message', (...args) => socket.emit('message-back', ...args))
      socket.on('message-with-ack', (...args) => {
        const ack = args.pop()
        ack(...args)
      })
      socket.on('emit-with-ack', (...args) => {
        socket.emit('emit-with-ack', ...args, (...reply) => socket.emit('emit-with-ack', ...reply))
      })
    })
  }
}

function sioClient(http) {
  const io = new SocketServer(http, {
    pingInterval: 2000,
    connectionStateRecovery: {},
    allowRequest: (_request, done) => setTimeout(() => done(null, true), 10),
  })
  const buffer = Buffer.from('asdfasdf')
  const now = () => new Date().toISOString()
  const handshake = ({ handshake: { query, auth } }) => ({ query, auth })
  io.use((socket, next) => {
    next(socket.handshake.query.fail && new Error('Auth failed (main namespace)'))
  })
  io.on('connection', (socket) => {
    socket.on('hi', () => socket.emit('hi'))
    socket.on('echo', (arg, ack) => ack(arg))
    socket.on('ack', () => {
      socket.emit('ack', (number, { test } = {}) => {
        if (number === 5 && test === true) {
          socket.emit('got it')
        }
      })
    })
    socket.on('getHandshake', (ack) => ack(handshake(socket)))
    socket.on('getId', (ack) => ack(socket.id))
    socket.on('getAckDate', (_any, ack) => ack(now()))
    socket.on('getDate', () => socket.emit('takeDate', now()))
    socket.on('getDateObj', () => socket.emit('takeDateObj', { date: now() }))
    socket.on('getUtf8', () => {
      for (const text of ['てすと', 'Я Б Г Д Ж Й', 'Ä ä Ü ü ß', 'utf8 — string', 'utf8 — string']) {
        socket.emit('takeUtf8', text)
      }
    })
    socket.on('false', () => socket.emit('false', false))
    socket.on('doge', () => socket.emit('doge', buffer))
    socket.on('getbin', () => socket.emit('takebin', buffer))
    socket.on('buffa', (arg) => Buffer.isBuffer(arg) && socket.emit('buffack'))
    socket.on('jsonbuff', (arg) => {
      if (arg.hello === 'lol' && Buffer.isBuffer(arg.message) && arg.goodbye === 'gotcha') {
        socket.emit('jsonbuff-ack')
      }
    })
    let came = false
    socket.on('abuff1', (arg) => (came ||= Buffer.isBuffer(arg)))
    socket.on('abuff2', () => came && socket.emit('abuff2-ack'))
  })
  io.of('/foo').on('connection', (socket) => socket.on('getId', (ack) => ack(socket.id)))
  io.of('/abc').on('connection', (socket) => socket.emit('handshake', handshake(socket)))
  io.of('/no').use((_socket, next) => next(new Error('Auth failed (custom namespace)')))
  for (const name of ['/timeout_socket', '/valid', '/asd']) {
    io.of(name)
  }
}

function smoke(http, options) {
  const io = new SocketServer(http, {
    pingInterval: 1000,
    pingTimeout: 2000,
    maxHttpBufferSize: 10_000_000,
    allowEIO3: true,
    ...options,
  })
  const team = (name, auth, next) => next(null, /^\/team-[^/]+$/.test(name) && auth.token === 'x')
  for (const name of ['/', '/custom', /^\/game-[^/]+$/, team]) {
    io.of(name).on('connection', (socket) => {
      const namespace = socket.nsp
      socket.on('echo', (...args) => socket.emit('echo', ...args))
      socket.on('ack-me', (...args) => {
        const ack = args.pop()
        ack(...args)
      })
      socket.on('ask-ack', (...args) => {
        socket.emit('question', ...args, (...reply) => socket.emit('answer', ...reply))
      })
      socket.on('ask-room', (room, wait) => {
        namespace.to(room).timeout(wait).emit('question', (error, answers) => {
          socket.emit('answers', error === null, answers)
        })
      })
      socket.on('join', (room, ack) => {
        socket.join(room)
        ack(true)
      })
      socket.on('leave', (room, ack) => {
        socket.leave(room)
        ack(true)
      })
      socket.on('cast', (room, ...args) => namespace.to(room).emit('msg', ...args))
      socket.on('kick', () => socket.disconnect())
      socket.on('drop', () => socket.conn.close())
      socket.on('auth', () => socket.emit('auth', socket.handshake.auth))
    })
  }
  io.of('/forbidden').use((_socket, next) => {
    next(Object.assign(new Error('forbidden'), { data: { code: 403 } }))
  })
}

const profiles = {
  eio,
  eio3: (http) => eio(http, true),
  'eio-client': eioClient,
  'eio-options': eioOptions,
  sio,
  sio3: (http) => sio(http, true),
  'sio-client': sioClient,
  smoke: (http) => smoke(http),
  'smoke-recovery': (http) => smoke(http, { connectionStateRecovery: {} }),
  'sio-msgpack': (http) => smoke(http, { parser: msgpack }),
  bench: (http) => bench(new SocketServer(http)),
  'bench-msgpack': (http) => bench(new SocketServer(http, { parser: msgpack })),
}
const defaultPorts = {
  eio: 4100,
  sio: 4101,
  'sio-client': 4102,
  'eio-client': 4103,
  smoke: 4104,
  eio3: 4105,
  sio3: 4106,
  bench: 4107,
  'eio-options': 4108,
  'smoke-recovery': 4110,
  'sio-msgpack': 4111,
  'bench-msgpack': 4113,
}

const profile = process.env.PROFILE ?? 'smoke'
if (!Object.hasOwn(profiles, profile)) {
  console.error(`unknown profile ${profile}: one of ${Object.keys(profiles).join(', ')}`)
  process.exit(2)
}

const http = createServer()
profiles[profile](http)
http.listen(Number(process.env.PORT ?? defaultPorts[profile]), '127.0.0.1', () => {
  console.log(`listening on 127.0.0.1:${http.address().port}`)
})
