// The polling transport, spoken by hand: every message is echoed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  BAD_REQUEST,
  openPolling,
  request,
  roundTrips,
  SEPARATOR,
  UNKNOWN_SID,
} from './support/polling.mjs'
import { differs, isReference, serve } from './support/server.mjs'

// The first ping, by default after 25 s, is so late that it answers no poll that is to be answered otherwise.
const server = await serve('eio-options')

async function assertGone(session) {
  const { status, body } = await session.get()
  assert.deepEqual([status, body], [400, UNKNOWN_SID])
}

async function assertAlive(session) {
  await session.post('4alive')
  assert.deepEqual(await session.poll(), ['4alive'])
}

test('TR-01 a POST is answered ok', async () => {
  const session = await openPolling(server)
  const { status, headers, body } = await session.post('4a')
  assert.deepEqual([status, body], [200, 'ok'])
  assert.match(headers.get('content-type'), /^text\/html/)
  assert.equal(headers.get('content-length'), '2')
  assert.equal(headers.get('cache-control'), 'no-store')
})

const echoed = {
  'TR-02 one packet': ['4hello'],
  'TR-02 several packets in their order': ['41', '42', '43', '4'],
  'an empty message': ['4'],
  'TR-03 binary in base64': ['bAQIDBA=='],
  'TR-03 base64 with one and without padding': ['bAQI=', 'bAQID'],
  'C16 an empty binary message': ['b'],
  'TR-03 text and binary mixed': ['4a', 'bAQIDBA==', '4b', 'b/+8='],
  'TR-21 multibyte text': ['4朝辞白帝 € 🎉 \u2028 \ue000 \u{10ffff}', '4е'],
  'line ends and NUL': ['4a\nb\r\nc\0d'],
}

for (const [name, packets] of Object.entries(echoed)) {
  test(`${name}: echoed`, async () => {
    const session = await openPolling(server)
    assert.equal((await session.post(packets.join(SEPARATOR))).body, 'ok')
    assert.deepEqual(await session.packets(packets.length), packets)
  })
}

test('C13 10,000 packets in one POST are all processed, in order', async () => {
  const session = await openPolling(server)
  const packets = Array.from({ length: 10_000 }, (_, i) => `4${i}`)
  await session.post(packets.join(SEPARATOR))
  assert.deepEqual(await session.packets(packets.length), packets)
})

test('TR-10 a poll that waits is answered as soon as there is a packet', async () => {
  const session = await openPolling(server)
  const { parked } = await session.parkGet()
  await session.post('4a')
  assert.deepEqual(await parked, { status: 200, body: '4a' })
})

test('TR-10 what is queued between two polls comes in one answer', async () => {
  const session = await openPolling(server)
  await session.post('4a')
  await session.post('4b')
  await session.post('bAQ==')
  assert.deepEqual(await session.packets(3), ['4a', '4b', 'bAQ=='])
})

test('C3 packets without a meaning here are ignored', async () => {
  const session = await openPolling(server)
  await session.post(['0', '5', '6', '3'].join(SEPARATOR))
  await assertAlive(session)
})

test('TR-11 a second poll while one is open: one 400, the other told to close', async () => {
  const session = await openPolling(server)
  const answers = await Promise.all([session.get(), session.get()])
  const refused = answers.find(({ status }) => status === 400)
  const closed = answers.find(({ status }) => status === 200)
  assert.ok(refused)
  assert.equal(closed?.body, '1')
  await assertGone(session)
})

test('TR-13 a POST of octet-stream is refused and ends the session', async () => {
  const session = await openPolling(server)
  const { status } = await session.post('4a', { 'content-type': 'application/octet-stream' })
  assert.equal(status, 400)
  await assertGone(session)
})

const unparsable = {
  'TR-14 a packet of an unknown type': 'x',
  'TR-14 a digit that is no type': '9',
  'TR-15 an empty body': '',
  'C8 a separator at the end': `4a${SEPARATOR}`,
  'C8 a separator at the start': `${SEPARATOR}4a`,
  'C12 nothing but separators': SEPARATOR.repeat(1000),
  'HB-07 C4 a ping of the client': '2',
  'HB-07 C4 a probe on polling': '2probe',
  'C2 a byte order mark': '\ufeff4a',
}

for (const [name, body] of Object.entries(unparsable)) {
  test(`${name}: the session is closed`, async () => {
    const session = await openPolling(server)
    const { status, body: answer } = await session.post(body)
    const expected = differs({ ours: [400, BAD_REQUEST], reference: [200, 'ok'] })
    assert.deepEqual([status, answer], expected)
    await assertGone(session)
  })
}

const lenient = {
  'C14 bytes that are no UTF-8': Buffer.from([0x34, 0xff, 0xfe]),
  'C15 base64 with strange characters': 'b!!!notbase64!!!',
}

for (const [name, body] of Object.entries(lenient)) {
  test(`${name}: refused by ours, repaired by the reference`, async () => {
    const session = await openPolling(server)
    const { status } = await session.post(body)
    assert.equal(status, differs({ ours: 400, reference: 200 }))
    if (!isReference) {
      await assertGone(session)
    }
  })
}

test('C7 what follows a bad packet is dropped', async () => {
  const session = await openPolling(server)
  const { parked } = await session.parkGet()
  await session.post(['4before', 'x', '4after'].join(SEPARATOR))
  const { body } = await parked
  assert.ok(!body.includes('after'), body)
  await assertGone(session)
})

test('TR-22 every packet after a close is dropped', async () => {
  const session = await openPolling(server)
  const { parked } = await session.parkGet()
  await session.post(['4before', '1', '4after'].join(SEPARATOR))
  const { body } = await parked
  assert.ok(!body.includes('after'), body)
  await assertGone(session)
})

test('CL-05 the client closes: ok, its open poll is answered 6, the session is gone', async () => {
  const session = await openPolling(server)
  const { parked } = await session.parkGet()
  const { status, body } = await session.post('1')
  assert.deepEqual([status, body], [200, 'ok'])
  assert.deepEqual(await parked, { status: 200, body: '6' })
  await assertGone(session)
  const { status: again } = await session.post('4a')
  assert.equal(again, 400)
})

test('PL-01 a POST over the limit is answered 413, the session lives', async () => {
  const session = await openPolling(server)
  const { status, body } = await session.offer(`4${'a'.repeat(1_000_000)}`)
  assert.deepEqual([status, body], [413, ''])
  await assertAlive(session)
})

test('PL-02 the limit counts bytes, not characters', async () => {
  const session = await openPolling(server)
  const { status } = await session.offer(`4${'é'.repeat(500_000)}`)
  assert.equal(status, 413)
  await assertAlive(session)
})

test('PL-02 exactly the limit is accepted', async () => {
  const session = await openPolling(server)
  const packet = `4${'a'.repeat(999_999)}`
  assert.equal((await session.post(packet)).status, 200)
  const [echo] = await session.poll()
  assert.ok(echo === packet)
})

/** A complete body in chunks, without Content-Length. */
function chunked(chunks) {
  return {
    method: 'POST',
    duplex: 'half',
    headers: { 'content-type': 'text/plain;charset=UTF-8' },
    body: new ReadableStream({
      start(controller) {
        chunks.forEach((chunk) => controller.enqueue(Buffer.from(chunk)))
        controller.close()
      },
    }),
  }
}

test('TR-19 a chunked body is accepted, also cut within a character', async () => {
  const session = await openPolling(server)
  const bytes = Buffer.from('4朝🎉')
  const chunks = [...bytes].map((_, i) => bytes.subarray(i, i + 1))
  assert.equal((await request(session.url, chunked(chunks))).body, 'ok')
  assert.deepEqual(await session.poll(), ['4朝🎉'])
})

test('PL-03 the limit holds for a chunked body', async () => {
  const session = await openPolling(server)
  const { status } = await session.stream(['4', 'a'.repeat(1_000_000)])
  assert.equal(status, 413)
  await assertAlive(session)
})

test('TR-20 Connection: close on every request does no harm', async () => {
  const session = await openPolling(server)
  const { body } = await session.post('4a', { connection: 'close' })
  assert.equal(body, 'ok')
  assert.equal((await request(session.url, { headers: { connection: 'close' } })).body, '4a')
})

test('CL-08 a poll that breaks off ends the session', async () => {
  const session = await openPolling(server)
  const { parked, abort } = await session.parkGet()
  abort()
  await assert.rejects(parked)
  await roundTrips(server)
  await assertGone(session)
})
