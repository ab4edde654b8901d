// What it is: a process full of official clients, which says of each when it came and went.
// What it is not: a judge of that.
// Who calls it: the scripts beside it, which count by `Clients` what it says.

import { fork } from 'node:child_process'
import { Manager } from 'socket.io-client'

/** Clients in processes of their own. */
export class Clients {
  /** Opens so many clients of this server in all, in so many processes; each asks for one of so many `rooms`. */
  static async open(origin, count, { processes = 2, options = {}, rooms = 0 } = {}) {
    const clients = new Clients()
    clients.count = count
    clients.connected = new Map()
    clients.refused = 0
    clients.sentAway = 0
    clients.told = []
    const each = Math.ceil(count / processes)
    clients.children = Array.from({ length: processes }, (_, at) => {
      const child = fork(new URL(import.meta.url).pathname, { stdio: 'inherit' })
      child.on('message', (message) => clients.hear(at, message))
      child.send({ origin, count: Math.min(each, count - at * each), options, rooms })
      return child
    })
    await clients.all()
    return clients
  }

  hear(process, { client, event, at, reason }) {
    const name = `${process}:${client}`
    if (event === 'connect') this.connected.set(name, at)
    if (event === 'disconnect') {
      this.connected.delete(name)
      this.sentAway += reason === 'io server disconnect' ? 1 : 0
    }
    if (event === 'connect_error') this.refused += reason ? 1 : 0
    this.told = this.told.filter((check) => !check())
  }

  /** Waits until all are connected; says after this many seconds that they are not. */
  all(seconds = 60) {
    return this.reach(() => this.connected.size === this.count, seconds)
  }

  /** Waits until nobody is. */
  none(seconds = 60) {
    return this.reach(() => this.connected.size === 0, seconds)
  }

  reach(condition, seconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), seconds * 1000)
      const check = () => {
        if (condition()) {
          clearTimeout(timer)
          resolve(true)
        }
        return condition()
      }
      if (!check()) this.told.push(check)
    })
  }

  /** Ends the processes, without a word to the server. */
  kill() {
    this.children.forEach((child) => child.kill('SIGKILL'))
  }
}

// In the process full of clients: `Date.now`, because `performance.now` begins anew in each process.
if (process.argv[1] === new URL(import.meta.url).pathname) {
  process.on('message', ({ origin, count, options, rooms }) => {
    for (let client = 0; client < count; client++) {
      const query = rooms ? { room: `room-${client % rooms}` } : {}
      const socket = new Manager(origin, { ...options, query }).socket('/')
      const tell = (event, reason) => process.send({ client, event, reason, at: Date.now() })
      socket.on('connect', () => tell('connect'))
      socket.on('disconnect', (reason) => tell('disconnect', reason))
      // One that is not active any more was refused; others try again by themselves.
      socket.on('connect_error', () => tell('connect_error', !socket.active && 'refused'))
    }
  })
  process.on('disconnect', () => process.exit())
}
