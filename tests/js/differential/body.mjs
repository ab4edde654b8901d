// Bodies of POSTs: catalogue C, behaviours 9.

import { request } from '../support/wire.mjs'
import { each, row } from './row.mjs'
import { SEPARATOR } from './session.mjs'

/** A body that has an echo or ends the session, while a GET waits: both answers, and whether the session lives. */
async function body(judge, bytes, headers) {
  const session = await judge.session()
  const parked = await session.park()
  return [await session.post(bytes, headers), await parked.answer, await session.life()]
}

/** A body while no GET waits. */
async function alone(judge, bytes, headers) {
  const session = await judge.session()
  return [await session.post(bytes, headers), await session.life()]
}

/** Bytes as they are, after the head of a POST. */
async function raw(judge, headers, bytes = '') {
  const session = await judge.session()
  const wire = judge.wire(request('POST', session.target, headers), bytes)
  return [await wire.answers(), await session.life()]
}

/** How many messages come, until as many are there; how many GETs they take is not told. */
async function echoes(session, count) {
  let come = 0
  while (come < count) {
    const polled = await session.judge.raw(session.target)
    come += polled.split(SEPARATOR).length
  }
  return `${come} echoes`
}

const bodies =
  (...values) =>
  (judge) =>
    each(values, (bytes) => body(judge, bytes))

export const bodyRows = [
  row('C1 TR-15', 'empty', bodies('')),
  row('C1 TR-15', 'empty, no GET waits', (judge) => alone(judge, '')),
  row('C2 TR-14', 'no packet', bodies('7', '9', 'x', '\ufeff4a')),
  row('C3', 'packets without a meaning', (judge) =>
    each(['0', '5', '6', '3'], (packet) => alone(judge, packet)),
  ),
  row('C4 HB-07', 'a ping', bodies('2', '2probe')),
  row('C6', 'an empty message', bodies('4')),
  row('C7', 'a packet, then none', bodies(['4a', '9', '4b'].join(SEPARATOR))),
  row(
    'C8',
    'a separator at the end, at the start, twice',
    bodies(`4a${SEPARATOR}`, `${SEPARATOR}4a`, `4a${SEPARATOR}${SEPARATOR}4b`),
  ),
  row(
    'C9 PL-01',
    'one byte over the limit',
    async (judge) => {
      const session = await judge.session()
      return [await session.post('4'.repeat(101)), await session.life()]
    },
    { set: '100 bytes' },
  ),
  row(
    'C9 PL-03',
    'over the limit in chunks',
    async (judge) => {
      const session = await judge.session()
      const wire = judge.wire(
        request('POST', session.target, ['Transfer-Encoding: chunked']),
        `65\r\n${'4'.repeat(101)}\r\n0\r\n\r\n`,
      )
      return [await wire.answer(), await session.life()]
    },
    { set: '100 bytes' },
  ),
  row('C10 PL-02', 'exactly the limit', (judge) => alone(judge, `4${'a'.repeat(99)}`), {
    set: '100 bytes',
  }),
  row('C11 PL-02', 'the limit is of bytes', (judge) => alone(judge, `4${'é'.repeat(50)}`), {
    set: '100 bytes',
  }),
  row(
    'HS-02 PL-05',
    'the limit in the handshake',
    (judge) => judge.get('EIO=4&transport=polling'),
    { set: '100 bytes' },
  ),
  row('C10', 'exactly 1 MB', (judge) => alone(judge, `4${'a'.repeat(999_999)}`)),
  row('C12', '1 MB of separators', bodies(SEPARATOR.repeat(1_000_000))),
  row('C13', '100,000 packets', (judge) => alone(judge, Array(100_000).fill('6').join(SEPARATOR))),
  row('C13', '2,000 messages', async (judge) => {
    const session = await judge.session()
    const posted = await session.post(Array(2000).fill('4a').join(SEPARATOR))
    return [posted, await echoes(session, 2000), await session.life()]
  }),
  row(
    'C14',
    'no UTF-8',
    bodies(Buffer.from('4\xff\xfe', 'latin1'), Buffer.from('4\xed\xa0\x80', 'latin1')),
  ),
  row('C15', 'no base64', bodies('b!!!notbase64!!!', 'bA', 'bAA=A')),
  row('C15', 'base64 of both alphabets, padded or not', bodies('b+/8=', 'b-_8', 'bAQ==', 'bAQ')),
  row('C16', 'no bytes', bodies('b')),
  row('C17 TR-13', 'an octet stream', async (judge) => {
    const session = await judge.session()
    return [
      await session.post('4a', ['Content-Type: application/octet-stream']),
      await session.get(),
    ]
  }),
  row('C18', 'another content type', async (judge) =>
    each(['text/html', 'application/json', 'application/x-www-form-urlencoded', ''], (type) =>
      alone(judge, '4a', type ? [`Content-Type: ${type}`] : []),
    ),
  ),
  row('C18', 'a form', (judge) =>
    body(judge, 'd=4a', ['Content-Type: application/x-www-form-urlencoded']),
  ),
  row('C19', 'Content-Encoding: gzip', (judge) => body(judge, '4a', ['Content-Encoding: gzip']), {
  }),
  row('C20', 'a length of 99,999,999,999', async (judge) => {
    const session = await judge.session()
    const answer = judge
      .wire(request('POST', session.target, ['Content-Length: 99999999999']))
      .answer()
    return judge.waits(answer)
  }),
  row('C22', 'a chunk of 2^64-1', async (judge) => {
    const session = await judge.session()
    const answer = judge
      .wire(
        request('POST', session.target, ['Transfer-Encoding: chunked']),
        'FFFFFFFFFFFFFFFF\r\n4a',
      )
      .answer()
    return judge.waits(answer)
  }),
  row('C22 H8', 'a chunk extension of 20 KB', (judge) =>
    raw(judge, ['Transfer-Encoding: chunked'], `2;${'a'.repeat(20_000)}\r\n4a\r\n0\r\n\r\n`),
  ),
]
