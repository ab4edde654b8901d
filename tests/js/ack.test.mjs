// Acknowledgements in both directions, with whatever an event may carry.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { comparable, connect, fence, polling, testEachWay, websocket } from './support/client.mjs'
import { collect, once, record } from './support/events.mjs'
import { serve } from './support/server.mjs'

const server = await serve('smoke')

const bytes = Buffer.from([0, 1, 0x1e, 0x7f, 0x80, 0xff])

const rows = {
  'no argument': [],
  'null': [null],
  'a text': ['朝辞白帝 🎉'],
  'several arguments': [1, 'two', [3], { four: null }],
  'AK-02 a Buffer': [bytes],
  'AK-02 Buffers amid other values': ['a', bytes, { b: [bytes, null] }, Buffer.alloc(0)],
}

for (const [name, args] of Object.entries(rows)) {
  testEachWay(`AK-01 the server acknowledges with ${name}`, async (t, way) => {
    const socket = await connect(t, server, way)
    const reply = await new Promise((resolve) => {
      socket.emit('ack-me', ...args, (...values) => resolve(values))
    })
    assert.deepEqual(comparable(reply), comparable(args))
  })

  testEachWay(`AK-04 the client acknowledges with ${name}`, async (t, way) => {
    const socket = await connect(t, server, way)
    const asked = once(socket, 'question')
    const answered = once(socket, 'answer')
    socket.emit('ask-ack', ...args)
    const question = await asked
    const ack = question.pop()
    assert.deepEqual(comparable(question), comparable(args))
    ack(...args)
    assert.deepEqual(comparable(await answered), comparable(args))
  })
}

testEachWay('AK-02 a text is acknowledged with a Buffer', async (t, way) => {
  const socket = await connect(t, server, way)
  socket.once('question', (text, ack) => ack(Buffer.from(text)))
  const answered = once(socket, 'answer')
  socket.emit('ask-ack', 'text')
  assert.deepEqual(await answered, [Buffer.from('text')])
})

testEachWay('AK-02 a Buffer is acknowledged with a text', async (t, way) => {
  const socket = await connect(t, server, way)
  socket.once('question', (buffer, ack) => ack(buffer.toString()))
  const answered = once(socket, 'answer')
  socket.emit('ask-ack', Buffer.from('text'))
  assert.deepEqual(await answered, ['text'])
})

testEachWay('500 acknowledgements in flight keep their pairing', async (t, way) => {
  const socket = await connect(t, server, way)
  const asked = Array.from({ length: 500 }, (_, i) => (i % 10 ? i : Buffer.from(`number ${i}`)))
  const replies = await Promise.all(asked.map((value) => socket.emitWithAck('ack-me', value)))
  assert.deepEqual(replies, asked)
})

testEachWay('AK-04 questions answered in reverse order are each answered once', async (t, way) => {
  const socket = await connect(t, server, way)
  const asked = collect(socket, 'question', 50)
  const answers = record(socket, 'answer')
  const answered = collect(socket, 'answer', 50)
  for (let i = 0; i < 50; i++) {
    socket.emit('ask-ack', i)
  }
  for (const [i, ack] of (await asked).reverse()) {
    ack(i)
  }
  await answered
  await fence(socket)
  const numbers = answers.flat().sort((a, b) => a - b)
  assert.deepEqual(
    numbers,
    Array.from({ length: 50 }, (_, i) => i),
  )
})

testEachWay('AK-08 all members of a room are asked at once', async (t, way) => {
  const members = await Promise.all([1, 2, 3].map(() => connect(t, server, way)))
  const asker = await connect(t, server, websocket)
  for (const [i, member] of members.entries()) {
    await member.emitWithAck('join', `asked over ${way.name}`)
    member.on('question', (ack) => ack(i))
  }
  const answered = once(asker, 'answers')
  asker.emit('ask-room', `asked over ${way.name}`, 10_000)
  const [complete, answers] = await answered
  assert.deepEqual([complete, answers.sort()], [true, [0, 1, 2]])
})

testEachWay('AK-09 who answers in time is heard, though others do not', async (t, way) => {
  const [silent, leaving, answering] = await Promise.all([1, 2, 3].map(() => connect(t, server, way)))
  for (const member of [silent, leaving, answering]) {
    await member.emitWithAck('join', `half asked over ${way.name}`)
  }
  leaving.on('question', () => leaving.disconnect())
  answering.on('question', (ack) => ack('here'))
  const answered = once(answering, 'answers')
  answering.emit('ask-room', `half asked over ${way.name}`, 2000)
  assert.deepEqual(await answered, [false, ['here']])
})

testEachWay('AK-10 nobody is asked: the answers are complete at once', async (t, way) => {
  const socket = await connect(t, server, way)
  const answered = once(socket, 'answers')
  socket.emit('ask-room', 'nobody', 60_000)
  assert.deepEqual(await answered, [true, []])
})

for (const way of [polling, websocket]) {
  test(`AK-05 an acknowledgement nobody waits for is ignored [${way.name}]`, async (t) => {
    const socket = await connect(t, server, way)
    const answers = record(socket, 'answer')
    socket.io.engine.write('3123["unasked"]')
    socket.io.engine.write('30["unasked"]')
    await fence(socket)
    assert.deepEqual(answers, [])
  })
}

testEachWay('the client gives up on an event nobody acknowledges', async (t, way) => {
  const socket = await connect(t, server, way)
  const [error] = await new Promise((resolve) => {
    socket.timeout(50).emit('nobody listens', (...values) => resolve(values))
  })
  assert.equal(error.message, 'operation has timed out')
  await assert.rejects(socket.timeout(50).emitWithAck('nobody listens'), /has timed out/)
})

testEachWay('a timeout that is not reached does no harm', async (t, way) => {
  const socket = await connect(t, server, way)
  const [error, reply] = await new Promise((resolve) => {
    socket.timeout(10_000).emit('ack-me', 'a', (...values) => resolve(values))
  })
  assert.equal(error, null)
  assert.equal(reply, 'a')
})
