// The official server on its Bun engine, with the contract of the profiles bench and bench-msgpack, else with default
// options.

import { Server as Engine } from '@socket.io/bun-engine'
import { Server } from 'socket.io'
import msgpack from 'socket.io-msgpack-parser'
import { bench } from '../../../js/bench.mjs'

const io = new Server(process.env.PROFILE === 'bench-msgpack' ? { parser: msgpack } : {})
// The engine has no path of its own accord that clients would find.
const engine = new Engine({ path: '/socket.io/' })
io.bind(engine)
bench(io)

export default { hostname: '127.0.0.1', port: Number(process.env.PORT), ...engine.handler() }
