// One table of requests, sent to the official server and to ours: both must answer alike, but where a row says
// why not. A row that differs without saying so fails, and so does one that says so and does not differ any more.
// The differences are in differential/differences.json.
//
//     RECORD=1 node --test differential.test.mjs    writes down what both answer; the reasons are left to you
//     SHOW=A7 node --test differential.test.mjs     prints what both answer to the rows whose id matches

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { differences, record } from './differential/differences.mjs'
import { rows } from './differential/rows.mjs'
import { options } from './differential/options.mjs'
import { Judge } from './support/judge.mjs'
import { serve } from './support/server.mjs'

const show = process.env.SHOW && new RegExp(process.env.SHOW)

async function run(row, server) {
  const judge = new Judge(server)
  try {
    return [await row.ask(judge)].flat(Infinity)
  } finally {
    judge.cleanUp()
  }
}

for (const [set, values] of Object.entries(options)) {
  const own = rows.filter((row) => row.set === set && (!show || show.test(row.id)))
  if (own.length === 0) continue
  const [ours, official] = await Promise.all(
    [false, true].map((official) => serve('eio-options', { options: values, official })),
  )
  test(`options: ${set}`, { concurrency: 4 }, async (t) => {
    const compared = own.map((row) =>
      t.test(`${row.id} ${row.title}`, async (t) => {
        const [our, their] = await Promise.all([run(row, ours), run(row, official)])
        if (show) t.diagnostic(JSON.stringify({ official: their, ours: our }, null, 2))
        if (process.env.RECORD) {
          if (!isDeepStrictEqual(our, their)) record(row, their, our)
          return
        }
        const difference = differences.get(row.key)
        if (difference === undefined) {
          assert.deepEqual(our, their, 'an answer that differs from the official one')
          return
        }
        assert.ok(
          !isDeepStrictEqual(our, their),
          `no difference any more: ${difference.differs}`,
        )
        assert.deepEqual(their, difference.official, 'the official answer')
        assert.deepEqual(our, difference.ours, 'our answer')
        assert.ok(difference.differs, 'a difference without a reason')
      }),
    )
    await Promise.all(compared)
  })
}

test('each difference belongs to a row', () => {
  const keys = new Set(rows.map((row) => row.key))
  assert.deepEqual(
    [...differences.keys()].filter((key) => !keys.has(key)),
    [],
  )
})
