// Packets that break the protocol end the connection, and nothing else (profile smoke).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openFrames } from './support/frames.mjs'
import { openPolling, SEPARATOR, UNKNOWN_SID } from './support/polling.mjs'
import { serve } from './support/server.mjs'

const server = await serve('smoke')
const url = server.webSocketUrl('EIO=4&transport=websocket')

async function opened(t) {
  const frames = openFrames(t, url)
  await frames.next()
  return frames
}

async function joined(t) {
  const frames = await opened(t)
  frames.send('40')
  await frames.next()
  return frames
}

const withoutNamespace = {
  'CV-06 an event before CONNECT': '42["echo"]',
  'CV-06 an acknowledgement before CONNECT': '430[]',
  'CV-06 a DISCONNECT before CONNECT': '41',
  'CV-08 CONNECT with an array': '40[]',
  'CV-08 CONNECT with a string': '40"x"',
  'CV-08 CONNECT with broken JSON': '40{',
  'I2 CONNECT with null': '40null',
}

for (const [name, packet] of Object.entries(withoutNamespace)) {
  test(`${name} ends the connection`, async (t) => {
    const frames = await opened(t)
    frames.send(packet)
    assert.deepEqual(await frames.end(), { code: 1005, reason: '' })
  })
}

const withNamespace = {
  'CV-05 a second CONNECT': '40',
  'I12 an event for a namespace that was not joined': '42/custom,["echo"]',
  'I18 DISCONNECT of a namespace that was not joined': '41/custom,',
  'CV-07 a packet without a type': '4',
  'CV-07 a packet of an unknown type': '4abc',
  'CV-07 a digit that is no type': '47',
  'CV-08 an event that is an object': '42{}',
  'CV-08 an event that is an object with a key': '42{"a":1}',
  'CV-08 an event that is null': '42null',
  'CV-08 an event that is a string': '42"x"',
  'CV-08 an event without a name': '42[]',
  'CV-08 an event named true': '42[true]',
  'CV-08 an event named null': '42[null]',
  'CV-08 an event named by an object': '42[{}]',
  'CV-08 an event with broken JSON': '42["echo"',
  'CV-08 an event with a comma too many': '42["echo",]',
  'CV-08 an event with more behind it': '42["echo"]x',
  'CV-08 DISCONNECT with an object': '41{}',
  'CV-08 an acknowledgement that is an object': '431{}',
  'CV-09 the reserved name connect': '42["connect"]',
  'CV-09 the reserved name connect_error': '42["connect_error"]',
  'CV-09 the reserved name disconnect': '42["disconnect","x"]',
  'CV-09 the reserved name disconnecting': '42["disconnecting"]',
  'CV-09 the reserved name newListener': '42["newListener"]',
  'CV-09 the reserved name removeListener': '42["removeListener"]',
  'CV-10 attachments without a number': '45',
  'CV-10 attachments without a dash': '451',
  'CV-10 attachments that are no number': '45a-["x"]',
  'CV-10 attachments with a fraction': '451.5-["x"]',
  'CV-18 no attachments': '450-["x"]',
  'PL-06 more than ten attachments': '4511-["x"]',
  'PL-06 a great many attachments': '45999999999-["x"]',
  'CV-14 an id that is no number': '42abc["echo"]',
  'CV-14 a negative id': '42-1["echo"]',
  'CV-15 CONNECT_ERROR from a client': '44["x"]',
  'CV-12 a binary frame that nothing announced': Buffer.from([1]),
}

for (const [name, packet] of Object.entries(withNamespace)) {
  test(`${name} ends the connection`, async (t) => {
    const frames = await joined(t)
    frames.send(packet)
    assert.deepEqual(await frames.end(), { code: 1005, reason: '' })
  })
}

for (const num of ['"splice"', '"0"', '-1', '1', '1e400', 'null']) {
  test(`CV-11 a placeholder of number ${num} ends the connection`, async (t) => {
    const frames = await joined(t)
    frames.send(`451-["echo",{"_placeholder":true,"num":${num}}]`)
    frames.send(Buffer.from([1]))
    assert.deepEqual(await frames.end(), { code: 1005, reason: '' })
  })
}

test('CV-13 a text packet while an attachment is missing ends the connection', async (t) => {
  const frames = await joined(t)
  frames.send('451-["echo",{"_placeholder":true,"num":0}]')
  frames.send('42["echo"]')
  assert.deepEqual(await frames.end(), { code: 1005, reason: '' })
})

test('a heartbeat while an attachment is missing does no harm', async (t) => {
  const frames = await joined(t)
  frames.send('451-["echo",{"_placeholder":true,"num":0}]')
  frames.send('3')
  frames.send(Buffer.from([1]))
  assert.deepEqual(await frames.take(2), [
    '451-["echo",{"_placeholder":true,"num":0}]',
    Buffer.from([1]),
  ])
})

for (const [name, packet] of Object.entries({
  'CV-05 a second CONNECT': '40',
  'CV-06 an event for a namespace that was not joined': '42/custom,["echo"]',
  'CV-07 a packet of an unknown type': '4abc',
})) {
  test(`${name} over polling ends the session in an orderly way`, async () => {
    const session = await openPolling(server)
    await session.post('40')
    await session.poll()
    await session.post(packet)
    // The GET may come before the packet is handled: then it is told as one that waits.
    assert.match((await session.poll()).join(SEPARATOR), /^(6\x1e)?1$/)
    const { status, body } = await session.get()
    assert.deepEqual([status, body], [400, UNKNOWN_SID])
  })

  test(`${name} answers the open poll`, async () => {
    const session = await openPolling(server)
    await session.post('40')
    await session.poll()
    const { parked } = await session.parkGet()
    await session.post(packet)
    // On two connections the POST may be taken up first: the GET is then told as one that comes later.
    assert.match((await parked).body, /^(6\x1e)?1$/)
  })
}

test('the connection of somebody else lives on', async (t) => {
  const [victim, culprit] = [await joined(t), await joined(t)]
  culprit.send('42{}')
  await culprit.end()
  victim.send('42["echo","alive"]')
  assert.equal(await victim.next(), '42["echo","alive"]')
})

for (const name of ['error', 'data', '__proto__', 'constructor', 'toString', 'connection']) {
  test(`J10 ${name} is an ordinary event`, async (t) => {
    const frames = await joined(t)
    frames.send(`42[${JSON.stringify(name)},1]`)
    frames.send('42["echo","alive"]')
    assert.equal(await frames.next(), '42["echo","alive"]')
  })
}
