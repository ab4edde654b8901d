// The Engine.IO handshake and the verification of requests.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchange } from './support/bytes.mjs'
import { openFrames, refusal, turnedAway } from './support/frames.mjs'
import { BAD_REQUEST, openPolling, request, UNKNOWN_SID } from './support/polling.mjs'
import { differs, serve } from './support/server.mjs'

// Not what is usual, so that it shows, and long enough for any test.
const PINGS = { pingInterval: 24_000, pingTimeout: 19_000 }

const server = await serve('eio-options', { options: PINGS })

const UNKNOWN_TRANSPORT = { code: 0, message: 'Transport unknown' }
const BAD_METHOD = { code: 2, message: 'Bad handshake method' }
const UNSUPPORTED = { code: 5, message: 'Unsupported protocol version' }

const POLLING = 'EIO=4&transport=polling'
const WEBSOCKET = 'EIO=4&transport=websocket'

test('HS-01 HS-02 a polling handshake has exactly the documented keys', async () => {
  const { status, headers, body } = await request(server.httpUrl(POLLING))
  assert.equal(status, 200)
  assert.equal(body[0], '0')
  const { sid, ...rest } = JSON.parse(body.slice(1))
  assert.match(sid, /^[\w-]{20,}$/)
  assert.deepEqual(rest, {
    upgrades: ['websocket'],
    ...PINGS,
    maxPayload: 1_000_000,
  })
  assert.equal(headers.get('content-type'), 'text/plain; charset=UTF-8')
})

test('HS-28 HS-29 the first frame of a WebSocket is the open packet, without upgrades', async (t) => {
  const frames = openFrames(t, server.webSocketUrl(WEBSOCKET))
  const frame = await frames.next()
  assert.equal(frame[0], '0')
  const { sid, ...rest } = JSON.parse(frame.slice(1))
  assert.match(sid, /^[\w-]{20,}$/)
  assert.deepEqual(rest, {
    upgrades: [],
    ...PINGS,
    maxPayload: 1_000_000,
  })
})

test('CO-01 CK-01 TR-27 no CORS headers, no cookie, no caching', async () => {
  const { headers } = await request(server.httpUrl(POLLING), {
    headers: { origin: 'http://a.test' },
  })
  const unwanted = [...headers.keys()].filter((name) => /^access-control|^set-cookie$/.test(name))
  assert.deepEqual(unwanted, [])
  assert.equal(headers.get('cache-control'), 'no-store')
})

const refusedHandshakes = {
  'HS-36 a request without a query': ['', UNKNOWN_TRANSPORT],
  'HS-04 a request without a transport': ['EIO=4', UNKNOWN_TRANSPORT],
  'HS-05 an unknown transport': ['EIO=4&transport=tobi', UNKNOWN_TRANSPORT],
  'HS-05 a transport in the wrong case': ['EIO=4&transport=Polling', UNKNOWN_TRANSPORT],
  'HS-06 transport=constructor': ['EIO=4&transport=constructor', UNKNOWN_TRANSPORT],
  'HS-06 transport=__proto__': ['EIO=4&transport=__proto__', UNKNOWN_TRANSPORT],
  'A4 an unknown transport after a known one': [`${POLLING}&transport=foo`, UNKNOWN_TRANSPORT],
  'HS-08 an unknown sid': [`${POLLING}&sid=abc`, UNKNOWN_SID],
  'HS-37 sid=__proto__': [`${POLLING}&sid=__proto__`, UNKNOWN_SID],
  'HS-37 sid=hasOwnProperty': [`${POLLING}&sid=hasOwnProperty`, UNKNOWN_SID],
  'A10 a sid of NUL': [`${POLLING}&sid=%00`, UNKNOWN_SID],
  'A10 a sid that is badly escaped': [`${POLLING}&sid=%zz%`, UNKNOWN_SID],
  'A10 a sid of 8 KB': [`${POLLING}&sid=${'a'.repeat(8192)}`, UNKNOWN_SID],
  'HS-10 websocket without an upgrade': [WEBSOCKET, BAD_REQUEST],
  'HS-14 no protocol revision': ['transport=polling', UNSUPPORTED],
  'HS-13 EIO=abc': ['EIO=abc&transport=polling', UNSUPPORTED],
  'HS-13 EIO=5': ['EIO=5&transport=polling', UNSUPPORTED],
  'HS-14 EIO=04': ['EIO=04&transport=polling', UNSUPPORTED],
}

for (const [name, [query, expected]] of Object.entries(refusedHandshakes)) {
  test(`${name} is refused with code ${expected.code}`, async () => {
    const { status, headers, body } = await request(server.httpUrl(query))
    assert.deepEqual([status, body], [400, expected])
    assert.match(headers.get('content-type'), /^application\/json/)
  })
}

for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD']) {
  test(`HS-09 a handshake with ${method} is refused with code 2`, async () => {
    const { status, body } = await request(server.httpUrl(POLLING), { method })
    assert.equal(status, 400)
    if (method !== 'HEAD') {
      assert.deepEqual(body, BAD_METHOD)
    }
  })
}

test('A4 the last of several transports counts', async () => {
  const { status } = await request(server.httpUrl('EIO=4&transport=foo&transport=polling'))
  assert.equal(status, 200)
})

test('A9 an empty sid is none: a new session', async () => {
  const { status, body } = await request(server.httpUrl(`${POLLING}&sid=`))
  assert.equal(status, 200)
  assert.match(body, /^0\{/)
})

test('A14 unknown query keys are ignored', async () => {
  const { status } = await request(server.httpUrl(`${POLLING}&__proto__=1&constructor=2&t=x`))
  assert.equal(status, 200)
})

test('A20 a path below the configured one', async () => {
  const url = `${server.origin}/engine.io/a/b/?${POLLING}`
  const { status } = await request(url)
  assert.equal(status, differs({ ours: 404, reference: 200 }))
})

test('HS-12 a control character in Origin is refused', async () => {
  const headers = ['Origin: http://a\x01b', 'Connection: close']
  assert.match(await exchange(server, POLLING, headers), /^HTTP\/1\.1 400 /)
})

test('HS-11 websocket without an upgrade is refused for a sid, the session lives', async () => {
  const session = await openPolling(server)
  const url = server.httpUrl(`${WEBSOCKET}&sid=${session.handshake.sid}`)
  const { status, body } = await request(url)
  assert.deepEqual([status, body], [400, BAD_REQUEST])
  await session.post('4alive')
  assert.deepEqual(await session.poll(), ['4alive'])
})

for (const revision of ['EIO=3&', '']) {
  test(`HS-38 a session of revision 4 is not used with "${revision}", but lives`, async () => {
    const session = await openPolling(server)
    const url = server.httpUrl(`${revision}transport=polling&sid=${session.handshake.sid}`)
    const { status, body } = await request(url)
    assert.deepEqual([status, body], [400, BAD_REQUEST])
    await session.post('4alive')
    assert.deepEqual(await session.poll(), ['4alive'])
  })
}

for (const method of ['PUT', 'OPTIONS', 'HEAD']) {
  test(`TR-17 A13 ${method} with a sid is refused, the session lives`, async () => {
    const session = await openPolling(server)
    const { status } = await request(session.url, { method })
    assert.equal(status, differs({ ours: 405, reference: 500 }))
    await session.post('4alive')
    assert.deepEqual(await session.poll(), ['4alive'])
  })
}

for (const [name, query] of Object.entries({
  'HS-04 without a transport': 'EIO=4',
  'HS-06 to transport=constructor': 'EIO=4&transport=constructor',
  'HS-06 to transport=__proto__': 'EIO=4&transport=__proto__',
  'HS-08 with an unknown sid': `${WEBSOCKET}&sid=abc`,
  'HS-37 with sid=__proto__': `${WEBSOCKET}&sid=__proto__`,
})) {
  test(`an upgrade ${name} is refused with 400`, async (t) => {
    const { status } = await refusal(t, server.webSocketUrl(query))
    assert.equal(status, 400)
  })
}

test('E14 a refused upgrade says why', async (t) => {
  const { body } = await refusal(t, server.webSocketUrl(`${WEBSOCKET}&sid=abc`))
  const expected = differs({
    ours: JSON.stringify(UNKNOWN_SID),
    reference: UNKNOWN_SID.message,
  })
  assert.equal(body, expected)
})

test('A7 an upgrade with an unsupported revision gets no session', async (t) => {
  const url = server.webSocketUrl('EIO=5&transport=websocket')
  const end = differs({ ours: refusal, reference: turnedAway })
  const answer = await end(t, url)
  assert.equal(answer?.status, differs({ ours: 400, reference: undefined }))
})

test('HS-19 an upgrade without the Sec-WebSocket headers is refused', async () => {
  const headers = ['Connection: Upgrade', 'Upgrade: websocket']
  assert.match(await exchange(server, WEBSOCKET, headers), /^HTTP\/1\.1 4(00|26) /)
})

test('HS-20 garbage instead of frames ends that connection, others are served', async () => {
  const headers = [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ]
  assert.match(await exchange(server, WEBSOCKET, headers, 'test'), /^HTTP\/1\.1 101 /)
  assert.equal((await request(server.httpUrl(POLLING))).status, 200)
})
