// All rows.

import { bodyRows } from './body.mjs'
import { compression } from './compression.mjs'
import { frames } from './frames.mjs'
import { http } from './http.mjs'
import { origin } from './origin.mjs'
import { query } from './query.mjs'
import { revision3 } from './revision3.mjs'
import { session } from './session.mjs'
import { upgradeRows } from './upgrade.mjs'

const all = [
  ...query,
  ...session,
  ...bodyRows,
  ...origin,
  ...upgradeRows,
  ...frames,
  ...http,
  ...compression,
  ...revision3,
]

/** Each row with a key that names it alone. */
export const rows = all.map((row) => ({ ...row, key: [row.set, row.id, row.title].join(' | ') }))

const keys = new Set(rows.map((row) => row.key))
if (keys.size < rows.length)
  throw new Error(
    `two rows of one name: ${rows.filter((row) => !keys.delete(row.key)).map((row) => row.key)}`,
  )
