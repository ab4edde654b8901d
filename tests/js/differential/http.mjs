// HTTP/1 as such: catalogue H. All requests have a session.

import { lives } from '../support/judge.mjs'
import { request, text, UPGRADE } from '../support/wire.mjs'
import { each, POLLING, row } from './row.mjs'

/** What these header lines get, behind those of a POST; and whether the session lives. */
async function post(judge, lines, bytes = '4a') {
  const session = await judge.session()
  const wire = judge.wire(
    `POST ${session.target} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n${lines}\r\n\r\n`,
    bytes,
  )
  return [await wire.answers(), await session.life()]
}

const posts =
  (...all) =>
  (judge) =>
    each(all, (lines) => post(judge, lines))

export const http = [
  row('H1', 'a length and chunks', (judge) =>
    each(
      [
        'Content-Length: 12\r\nTransfer-Encoding: chunked',
        'Transfer-Encoding: chunked\r\nContent-Length: 12',
      ],
      (lines) => post(judge, lines, '2\r\n4a\r\n0\r\n\r\n'),
    ),
  ),
  row(
    'H2',
    'transfer encodings',
    posts(
      'Transfer-Encoding: xchunked',
      'Transfer-Encoding: chunked, identity',
      'Transfer-Encoding: gzip',
    ),
  ),
  row('H3', 'two lengths', posts('Content-Length: 2\r\nContent-Length: 3', 'Content-Length: 2, 3')),
  row('H3', 'the same length twice', posts('Content-Length: 2\r\nContent-Length: 2')),
  row(
    'H4',
    'lengths that are none',
    posts(
      ...['-1', '+2', '2 2', '0x2', '18446744073709551616', ''].map(
        (length) => `Content-Length: ${length}`,
      ),
    ),
  ),
  row('H5', 'bare line feeds', async (judge) => {
    const session = await judge.session()
    return judge.all(
      `POST ${session.target} HTTP/1.1\nHost: a.test\nContent-Length: 2\nConnection: close\n\n4a`,
    )
  }),
  row(
    'H5',
    'a folded header, a blank before the colon, a NUL',
    posts(
      'X: a\r\n b\r\nContent-Length: 2',
      'X : a\r\nContent-Length: 2',
      'X: a\0b\r\nContent-Length: 2',
    ),
  ),
  row('H6', 'TLS', (judge) => judge.all(Buffer.from([22, 3, 1, 0, 5, 1, 0, 0, 1, 0]))),
  row('H6', 'nonsense', (judge) => judge.all('nonsense\r\n\r\n')),
  row('H6', 'HTTP/2', (judge) => judge.all('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')),
  row('H6', 'HTTP/9.9', (judge) => judge.all('GET / HTTP/9.9\r\n\r\n')),
  row('H8', 'a chunk size that is none', (judge) =>
    each(['x\r\n', '-1\r\n4a\r\n', '\r\n'], (chunk) =>
      post(judge, 'Transfer-Encoding: chunked', chunk),
    ),
  ),
  row('H10', 'trailers', async (judge) => {
    const session = await judge.session()
    const wire = judge.wire(
      request('POST', session.target, ['Transfer-Encoding: chunked']),
      '2\r\n4a\r\n0\r\nX-Trailer: 1\r\nHost: b.test\r\n\r\n',
      request('GET', session.target),
    )
    return [await wire.answer(), await wire.answer()]
  }),
  row('H11', 'a body that nobody reads, then a request', async (judge) => {
    const wire = judge.wire(
      request('POST', `${judge.path}?${POLLING}&sid=abc`, ['Content-Length: 4'], '4abc'),
      request('GET', `${judge.path}?${POLLING}`),
    )
    return [await wire.answer(), await wire.answer()]
  }),
  row('H11 C17', 'a body that is refused, then a request', async (judge) => {
    const session = await judge.session()
    const wire = judge.wire(
      request(
        'POST',
        session.target,
        ['Content-Type: application/octet-stream', 'Connection: close'],
        '4abc',
      ),
      request('GET', `${judge.path}?${POLLING}`),
    )
    return wire.answers()
  }),
  row('H13', 'HTTP/1.0 with chunks', async (judge) => {
    const session = await judge.session()
    return judge.all(
      `POST ${session.target} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n4a\r\n0\r\n\r\n`,
    )
  }),
  row('H14', '100 requests pipelined', async (judge) => {
    const wire = judge.wire(...Array(100).fill(request('GET', `${judge.path}?EIO=4`)))
    const answers = new Set(await each(Array(100).fill(), () => wire.answer()))
    return [...answers]
  }),
  row('H14', 'POSTs pipelined', async (judge) => {
    const session = await judge.session()
    const wire = judge.wire(
      ...['4a', '4b', '4c'].map((body) => request('POST', session.target, [], body)),
    )
    const posted = [await wire.answer(), await wire.answer(), await wire.answer()]
    await judge.seen()
    return [posted, await session.get()]
  }),
  row('H12', 'a frame behind the upgrade request', async (judge) => {
    const wire = await judge.webSocket('EIO=4&transport=websocket', UPGRADE, text('4a'))
    return lives(wire)
  }),
]
