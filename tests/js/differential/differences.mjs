// Where the two servers differ: what each answers, and why.

import { readFileSync, writeFileSync } from 'node:fs'

const file = new URL('differences.json', import.meta.url)
const known = JSON.parse(readFileSync(file, 'utf8'))

/** The differences by the key of their row. */
export const differences = new Map(Object.entries(known))

const recorded = {}

/** Notes a difference; all that were noted are written when the process ends, with the reasons they had. */
export function record(row, official, ours) {
  const { differs } = known[row.key] ?? {}
  recorded[row.key] = { differs, official, ours }
}

process.once('exit', () => {
  if (Object.keys(recorded).length === 0) return
  const sorted = Object.fromEntries(Object.entries(recorded).sort(([a], [b]) => (a < b ? -1 : 1)))
  writeFileSync(file, `${JSON.stringify(sorted, null, 2)}\n`)
})
