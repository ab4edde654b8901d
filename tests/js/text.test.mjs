// Texts, numbers and JSON values come back as they were sent.

import assert from 'node:assert/strict'
import { connect, echo, fence, testEachWay } from './support/client.mjs'
import { serve } from './support/server.mjs'

const server = await serve('smoke')

const texts = {
  'an empty text': '',
  'a plain text': 'hello',
  'quotes and backslashes': 'a "quoted" \\ back\\"slash\\" /slash/',
  'control characters': '\b\t\n\v\f\r\x1b\x7f',
  'NUL': 'before\0after',
  'the separator of polling payloads': 'before\x1eafter',
  'what looks like a packet': '42["echo","no"]',
  'Cyrillic': 'пойду спать всем спокойной ночи',
  'Chinese': '朝辞白帝彩云间,千里江陵一日还。',
  'Arabic, right to left': 'مرحبا بالعالم',
  'combining characters': 'e\u0301 n\u0303 q\u0307\u0323',
  'an emoji': '🎉',
  'an emoji joined of several': '👩🏽‍🚀👨‍👩‍👧‍👦🏳️‍🌈🇺🇳',
  'astral letters': '𝒳𝔘𐍈𠜎',
  'line and paragraph separators': 'a\u2028b\u2029c',
  'private use': '\ue000\uf8ff\u{f0000}\u{10ffff}',
  'noncharacters': '\ufffe\uffff\ufdd0',
  'a byte order mark': '\ufeffafter',
  'the replacement character': '\ufffd',
  'half of a surrogate pair': 'a\ud800b',
}

const numbers = {
  'zero': 0,
  'a negative integer': -1,
  'a fraction': 0.1,
  'the largest safe integer': Number.MAX_SAFE_INTEGER,
  'the smallest safe integer': Number.MIN_SAFE_INTEGER,
  'past 32 bits': 2 ** 32,
  'past 64 bits': 2 ** 64,
  'the largest number': Number.MAX_VALUE,
  'the number closest to zero': Number.MIN_VALUE,
  'one and the smallest step': 1 + Number.EPSILON,
}

const lists = {
  'no argument': [],
  'one argument': ['a'],
  'null': [null],
  'null amid others': [1, null, 'b', null],
  'booleans': [true, false],
  'an empty array and an empty object': [[], {}],
  'every kind at once': ['a', 1, 2.5, true, null, [1, [2, [3]]], { b: { c: ['d'] } }],
  'a deep value': [nested(50)],
  '100 arguments': Array.from({ length: 100 }, (_, i) => (i % 2 ? i : `argument ${i}`)),
  'keys of object prototypes': [JSON.parse('{"__proto__":1,"constructor":2,"toString":3}')],
  'what looks like a placeholder': [{ _placeholder: true, num: 0 }],
}

function nested(depth) {
  return depth === 0 ? 'the end' : { in: [nested(depth - 1)] }
}

// What JSON makes of a value is what the other side gets.
function asJson(value) {
  return JSON.parse(JSON.stringify(value))
}

for (const [name, text] of Object.entries(texts)) {
  testEachWay(`EV-04 ${name} as argument and as key`, async (t, way) => {
    const socket = await connect(t, server, way)
    assert.deepEqual(await echo(socket, text), [text])
    assert.deepEqual(await echo(socket, { [text]: text }), [{ [text]: text }])
  })
}

testEachWay('all numbers at the edges', async (t, way) => {
  const socket = await connect(t, server, way)
  for (const [name, number] of Object.entries(numbers)) {
    assert.deepEqual(await echo(socket, number), [number], name)
  }
})

for (const [name, args] of Object.entries(lists)) {
  testEachWay(`EV-01 ${name}`, async (t, way) => {
    const socket = await connect(t, server, way)
    assert.deepEqual(await echo(socket, ...args), asJson(args))
  })
}

testEachWay('EV-08 a date travels as its ISO string', async (t, way) => {
  const socket = await connect(t, server, way)
  assert.deepEqual(await echo(socket, new Date(0)), ['1970-01-01T00:00:00.000Z'])
})

testEachWay('an event nobody listens to is ignored', async (t, way) => {
  const socket = await connect(t, server, way)
  socket.emit('nobody listens', 1)
  socket.emit('constructor', 1)
  socket.emit('__proto__', 1)
  await fence(socket)
  assert.ok(socket.connected)
})

testEachWay('EV-07 an event may be named by a number', async (t, way) => {
  const socket = await connect(t, server, way)
  socket.emit(7, 'a')
  await fence(socket)
  assert.ok(socket.connected)
})
