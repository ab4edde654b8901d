// Waiting for events, always with a deadline.

const DEADLINE = 30_000

/** The arguments of the next `event`; rejects when none comes before the deadline. */
export async function once(emitter, event, within = DEADLINE) {
  const [args] = await collect(emitter, event, 1, within)
  return args
}

/** The arguments of each of the next `count` events, in order. */
export function collect(emitter, event, count, within = DEADLINE) {
  const events = []
  const collected = new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      emitter.off(event, listen)
    }
    const listen = (...args) => {
      events.push(args)
      if (events.length === count) {
        stop()
        resolve(events)
      }
    }
    const timer = setTimeout(() => {
      stop()
      reject(new Error(`${events.length} of ${count} "${event}" within ${within} ms`))
    }, within)
    emitter.on(event, listen)
  })
  return unhandled(collected)
}

/** The arguments of every `event` so far, in a list that grows. */
export function record(emitter, event) {
  const events = []
  emitter.on(event, (...args) => events.push(args))
  return events
}

/** Waits until `promise` settles, at most until the deadline. */
export function settled(promise, what, within = DEADLINE) {
  let timer
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${within} ms`)), within)
  })
  return unhandled(Promise.race([promise, late]).finally(() => clearTimeout(timer)))
}

// A test that fails early never awaits what it waits for; only its own failure shall be reported.
function unhandled(promise) {
  promise.catch(() => {})
  return promise
}
