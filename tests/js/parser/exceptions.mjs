// Where our decoder and the official one differ on purpose, each with its reason and an example that shows it.
// In all of them but those that are `read` ours refuses what the official one takes.

import { parse } from 'node:url'

const isBinary = (text) => /^[56]/.test(text)

/** What follows the type and the count of attachments. */
const behind = (text) => (isBinary(text) ? text.slice(text.indexOf('-') + 1) : text.slice(1))
const namespace = (text) => /^\/[^,]*/.exec(behind(text))?.[0] ?? '/'

/** What follows the namespace: ack id and payload. */
const rest = (text) => behind(text).replace(/^\/[^,]*,?/, '')
const numbers = (text) => rest(text).match(/-?\d(?:[\d.]|[eE][-+]?)*/g) ?? []

/** The payload as JavaScript reads it; of a key given twice it keeps the last. */
function payload(text) {
  try {
    return JSON.parse(rest(text).replace(/^\d*/, ''))
  } catch {
    return undefined
  }
}
const isObject = (value) => typeof value === 'object' && value !== null
const within = (value) => (isObject(value) ? Object.values(value).flatMap((item) => [item, ...within(item)]) : [])
const isPlaceholder = (value) => isObject(value) && value._placeholder === true
const keys = (value) => [value, ...within(value)].filter((item) => isObject(item) && !Array.isArray(item)).flatMap(Object.keys)
const writtenKeys = (text) => rest(text).match(/"(?:[^"\\]|\\.)*"\s*:/g) ?? []

export const exceptions = [
  {
    reason: 'CV-15: a client has no CONNECT_ERROR to send; the official server closes behind its parser',
    example: ['4{"message":"no"}'],
    applies: (text) => text.startsWith('4'),
  },
  {
    reason: 'J1, J8: nothing, or a blank, is no type; in JavaScript both are the number 0',
    example: [' {"a":1}'],
    applies: (text) => /^(\s|$)/.test(text),
  },
  {
    reason: 'J8: a blank is no digit of an ack id, though JavaScript counts it as 0',
    example: ['2 ["echo",1]'],
    applies: (text) => /^\d*\s/.test(rest(text)),
  },
  {
    reason: 'J2, J3: an event or an answer without a list',
    example: ['2'],
    applies: (text) => /^[2356]/.test(text) && /^\d*$/.test(rest(text)),
  },
  {
    reason: 'a DISCONNECT has no ack id to be answered under',
    example: ['15'],
    applies: (text) => /^1/.test(text) && /^\d+$/.test(rest(text)),
  },
  {
    reason: 'J16: an ack id above 2^53 - 1 could not be repeated',
    example: ['29007199254740992["a"]'],
    applies: (text) => Number(/^\d*/.exec(rest(text))[0]) > Number.MAX_SAFE_INTEGER,
  },
  {
    reason: 'Kb4: a count of attachments is digits without a leading zero',
    example: ['51e0-["a"]', [1]],
    applies: (text) => isBinary(text) && !/^[56][1-9]\d*-/.test(text),
  },
  {
    reason: 'I8: a namespace has 255 bytes at most',
    example: [`0/${'x'.repeat(255)}`],
    applies: (text) => Buffer.byteLength(namespace(text)) > 255,
  },
  {
    reason: 'J11: the name of an event has 1024 bytes at most',
    example: [`2["${'x'.repeat(1025)}"]`],
    applies: (text) => text.length > 1024,
  },
  {
    reason: 'K6: a number has 512 characters at most',
    example: [`2["a",${'1'.repeat(513)}]`],
    applies: (text) => numbers(text).some((number) => number.length > 512),
  },
  {
    reason: 'K8: half of a surrogate pair is no name: it could not be compared with any',
    example: ['2["\\ud800"]'],
    applies: (text) => /^[25]/.test(text) && /^\d*\["[^"]*\\ud[89a-f]/i.test(rest(text)),
  },
  {
    reason: 'K8: beside binary, which is put among values, half of a surrogate pair is no string',
    example: ['51-["a","\\ud800"]', [1]],
    applies: (text) => isBinary(text) && /\\ud[89a-f]/i.test(text),
  },
  {
    reason: 'K4: beside binary a number is a value, and none is infinite',
    example: ['51-["a",1e999]', [1]],
    applies: (text) => isBinary(text) && numbers(text).some((number) => !Number.isFinite(Number(number))),
  },
  {
    reason: 'Kb9: the number of an attachment is digits; in JavaScript 0.5 finds nothing, and -0 the first',
    example: ['51-["a",{"_placeholder":true,"num":0.5}]', [1]],
    applies: (text) => isBinary(text) && /"num"\s*:\s*(-0|\d+[.eE])/.test(text),
  },
  {
    reason: 'Kb8: a placeholder within a placeholder has to name an attachment, too',
    example: ['51-["a",{"_placeholder":true,"num":0,"x":{"_placeholder":true,"num":7}}]', [1]],
    applies: (text) => isBinary(text) && within(payload(text)).filter(isPlaceholder).some((of) => within(of).some(isPlaceholder)),
  },
  {
    reason: 'Kb8: so has one under a key that is given twice, which JavaScript forgets before it looks',
    example: ['51-["a",{"b":{"_placeholder":true,"num":7},"b":1}]', [1]],
    applies: (text) => isBinary(text) && writtenKeys(text).length > keys(payload(text)).length,
  },
  {
    reason: 'of protocol 4 the official server reads a namespace as a URL: blanks, # and the like go or are escaped',
    example: ['0/ ,'],
    protocol: 4,
    read: true,
    applies: (text, protocol) => protocol === 4 && parse(namespace(text)).href !== namespace(text),
  },
]
