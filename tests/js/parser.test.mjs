// Our decoder of packets and the official one, given the same messages: both must take and refuse the same, and read
// the same in it, but for the exceptions, each of which says why. What they are given is drawn anew in each run.
//
//     SEED=7 node --test parser.test.mjs        the same messages again
//     COUNT=1000000 node --test parser.test.mjs  more of them

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { exceptions } from './parser/exceptions.mjs'
import { decode } from './parser/official.mjs'
import { decodeAll } from './parser/ours.mjs'
import { Packets } from './parser/packets.mjs'
import { Random, seed } from './support/random.mjs'

const count = Number(process.env.COUNT ?? 60_000)

/** Whether both refuse, both wait for attachments, or both read the same. */
function agree(official, ours) {
  if (official instanceof Error || ours instanceof Error) {
    return official instanceof Error && ours instanceof Error
  }
  if (official?.type !== 2 || ours?.type !== 2) return isDeepStrictEqual(official, ours)
  // The official parser has the name of an event as its first argument; a number is named by its text here.
  const [name, ...data] = official.data ?? []
  const ourName = typeof name === 'number' ? Number(ours.name) : ours.name
  return isDeepStrictEqual({ ...official, name, data }, { ...ours, name: ourName })
}

/** The place of the message at which they part. */
function parting(official, ours) {
  const length = Math.max(official.length, ours.length)
  return Array.from({ length }, (_, at) => at).find((at) => !agree(official[at], ours[at]))
}

/** The exception that lets them part there, because of the last text. */
function exceptionOf(protocol, messages, at, ours) {
  const text = messages.slice(0, at + 1).findLast((message) => typeof message === 'string') ?? ''
  const refuses = ours[at] instanceof Error
  return exceptions.find(({ applies, read = false }) => read !== refuses && applies(text, protocol))
}

async function compare(protocol, sequences) {
  const uses = new Map()
  let read = 0
  const results = decodeAll(protocol, sequences)
  for (const messages of sequences) {
    const official = decode(protocol, messages)
    const { value: ours } = await results.next()
    read += official.filter((result) => result?.type >= 0).length
    const at = parting(official, ours)
    if (at === undefined) continue
    const exception = exceptionOf(protocol, messages, at, ours)
    if (exception === undefined) {
      const shown = { protocol, messages, at, official: official[at], ours: ours[at] }
      if (!process.env.SHOW) assert.fail(`SEED=${seed} parts them: ${JSON.stringify(shown, errors)}`)
      console.log(JSON.stringify(shown, errors).slice(0, 400))
    }
    uses.set(exception, (uses.get(exception) ?? 0) + 1)
  }
  assert.ok((await results.next()).done, 'each sequence was answered once')
  return { uses, read }
}

const errors = (_, value) => (value instanceof Error ? `refused: ${value.message}` : value)

for (const protocol of [5, 4]) {
  test(`protocol ${protocol}: ${count} sequences of messages`, async (t) => {
    t.diagnostic(`SEED=${seed}`)
    const packets = new Packets(new Random(seed + protocol))
    const sequences = Array.from({ length: count }, () => packets.next())
    const { uses, read } = await compare(protocol, sequences)
    assert.ok(read > count / 2, `only ${read} packets in ${count} sequences`)
    t.diagnostic(`${read} packets were read, ${[...uses.values()].reduce((a, b) => a + b, 0)} sequences are exceptions`)
  })
}

test('each exception is still one', async () => {
  for (const exception of exceptions) {
    const { reason, example, protocol = 5 } = exception
    const { uses } = await compare(protocol, [example])
    assert.deepEqual([...uses.keys()].map((used) => used.reason), [reason])
  }
})
