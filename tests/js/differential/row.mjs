// A row of the table: what is asked, and where ours differs, why and how.

/**
 * `id` names the row of the catalogue of abuse (A7) or of behaviours (HS-04); several are joined by blanks.
 * `ask` gets a Judge and returns what it was told, in lines.
 *
 * What else a row may say:
 * - `set`: the options of the servers, by their name in options.mjs
 *
 * Where the servers differ, differences.json has what each answers, and why (`differs`).
 */
export function row(id, title, ask, rest = {}) {
  return { id, title, ask, set: 'default', ...rest }
}

/** The answers to each of these values, one after the other. */
export async function each(values, ask) {
  const answers = []
  for (const value of values) answers.push(await ask(value))
  return answers
}

export const POLLING = 'EIO=4&transport=polling'
export const WEBSOCKET = 'EIO=4&transport=websocket'
