// What our decoder makes of sequences of messages: `target/debug/decode`, a line for each.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const binary =
  process.env.DECODE ?? fileURLToPath(new URL('../../../target/debug/decode', import.meta.url))

/** For each sequence, in their order, its results: see tests/src/decode.rs. */
export async function* decodeAll(protocol, sequences) {
  if (!existsSync(binary)) {
    throw new Error(`no decoder at ${binary}: run \`cargo build --workspace\` or set DECODE`)
  }
  const child = spawn(binary, { stdio: ['pipe', 'pipe', 'inherit'] })
  try {
    const written = write(child.stdin, protocol, sequences)
    for await (const line of lines(child.stdout.setEncoding('utf8'))) yield read(line)
    await written
  } finally {
    child.kill('SIGKILL')
  }
}

async function write(input, protocol, sequences) {
  for (const messages of sequences) {
    if (!input.write(`${JSON.stringify([protocol, ...messages])}\n`)) await once(input, 'drain')
  }
  input.end()
}

/** Node's own reader of lines would also end one at a U+2028. */
async function* lines(stream) {
  let begun = ''
  for await (const chunk of stream) {
    const parts = (begun + chunk).split('\n')
    begun = parts.pop()
    yield* parts
  }
}

/** In the words of the official parser: the name of an event is its first argument; an error is one. */
function read(line) {
  return JSON.parse(line).map((result) => {
    if (typeof result === 'string') return new Error(result)
    if (result?.name === undefined) return result
    const { name, data, ...packet } = result
    return { ...packet, name, data }
  })
}
