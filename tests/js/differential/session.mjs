// GETs and POSTs of a session: catalogue B, behaviours 3, 5 and those of 2 that polling shows.

import { lives } from '../support/judge.mjs'
import { request, text } from '../support/wire.mjs'
import { each, POLLING, row } from './row.mjs'

export const SEPARATOR = '\x1e'

/** A POST whose body does not come, but for `sent`. */
function unfinished(session, sent = '4') {
  return session.judge.wire(request('POST', session.target, ['Content-Length: 100'], sent))
}

/** Asks until the session is unknown; requests of a wrong method do not disturb it. */
async function gone(session) {
  while (!(await session.ask('PUT')).includes('"code":1'));
  return 'gone'
}

export const session = [
  row('B1 TR-11', 'two GETs at once', async (judge) => {
    const session = await judge.session()
    const first = await session.park()
    return [await session.get(), await first.answer, await session.get()]
  }),
  row('B2', 'two GETs pipelined', async (judge) => {
    const session = await judge.session()
    const wire = judge.wire(request('GET', session.target), request('GET', session.target))
    await judge.seen()
    const told = []
    for (const message of ['4a', '4b']) told.push(await session.post(message), await wire.answer())
    return [...told, await session.life()]
  }),
  row('B3 TR-12', 'two POSTs at once', async (judge) => {
    const session = await judge.session()
    const first = unfinished(session)
    await judge.seen()
    return [await session.post('4b'), await first.answer(), await session.get()]
  }),
  row('B4 CL-08', 'a GET aborted', async (judge) => {
    const session = await judge.session()
    const wire = judge.wire(request('GET', session.target))
    await judge.seen()
    wire.cut()
    return gone(session)
  }),
  row('B5 CL-09', 'a POST aborted', async (judge) => {
    const session = await judge.session()
    const wire = unfinished(session)
    await judge.seen()
    wire.cut()
    return gone(session)
  }),
  row('B6 C5 CL-05', 'the client closes while a GET waits', async (judge) => {
    const session = await judge.session()
    const parked = await session.park()
    return [
      await session.post('1'),
      await parked.answer,
      await session.get(),
      await session.post('4a'),
    ]
  }),
  row('C5 B7', 'the client closes while no GET waits', async (judge) => {
    const session = await judge.session()
    return [await session.post('1'), await session.get(), await session.post('4a')]
  }),
  row(
    'B8 HB-09 HB-10',
    'a session that never polls',
    async (judge) => gone(await judge.session()),
    { set: 'quick' },
  ),
  row(
    'B9 HB-01 HB-03',
    'a client that answers no ping',
    async (judge) => {
      const session = await judge.session()
      return [await session.get(), await session.get(), await session.get()]
    },
    { set: 'quick' },
  ),
  row(
    'HB-02',
    'a client that answers pings',
    async (judge) => {
      const session = await judge.session()
      return each([1, 2, 3], async () => [await session.get(), await session.post('3')])
    },
    { set: 'quick' },
  ),
  row(
    'B10',
    'a GET with a body',
    async (judge) => {
      const session = await judge.session()
      const wire = judge.wire(request('GET', session.target, ['Content-Length: 3'], '4ab'))
      return judge.waits(wire.answer())
    },
  ),
  row('B11', 'a POST while upgrading', async (judge) => {
    const session = await judge.session()
    await session.probe()
    return [await session.post('4a'), await judge.seen(), await session.get()]
  }),
  row('B12 UP-04', 'polling after the upgrade', async (judge) => {
    const session = await judge.session()
    const wire = await session.upgraded()
    const asked = [await session.get(), await session.post('4a')]
    wire.write(text('4b'))
    return [...asked, await wire.frame()]
  }),
  row('B13', 'Expect: 100-continue', async (judge) => {
    const session = await judge.session()
    const wire = judge.wire(
      request('POST', session.target, ['Expect: 100-continue', 'Content-Length: 2']),
    )
    const first = await wire.answer()
    wire.write('4a')
    return [first, await wire.answer(), await session.get()]
  }),
  row('B13', 'Expect: foo', async (judge) => {
    const session = await judge.session()
    return [await session.post('4a', ['Expect: foo']), await session.life()]
  }),
  row('CL-04', 'the server closes while a GET waits', async (judge) => {
    const session = await judge.session()
    const parked = await session.park()
    return [await session.post('4close'), await parked.answer, await session.get()]
  }),
  row('CL-04 TR-24', 'the server closes while no GET waits', async (judge) => {
    const session = await judge.session()
    return [
      await session.post(['4a', '4b', '4close', '4c'].join(SEPARATOR)),
      await judge.seen(),
      await session.get(),
      await session.get(),
      await session.get(),
    ]
  }),
  row('TR-01 TR-02 TR-03 TR-27', 'a POST and a GET', async (judge) => {
    const session = await judge.session()
    const posted = await session.post(['4a', 'bAQID', '4', '4é🎉 \u2028'].join(SEPARATOR))
    await judge.seen()
    return [posted, await session.get()]
  }),
  row('TR-10', 'a waiting GET gets what comes', async (judge) => {
    const session = await judge.session()
    const parked = await session.park()
    return [await judge.waits(parked.answer), await session.post('4a'), await parked.answer]
  }),
  row('TR-19 C21', 'a body in chunks of one byte', async (judge) => {
    const session = await judge.session()
    const chunks = [...'4hello'].map((letter) => `1\r\n${letter}\r\n`)
    const posted = await judge
      .wire(request('POST', session.target, ['Transfer-Encoding: chunked']), ...chunks, '0\r\n\r\n')
      .answer()
    return [posted, await session.get()]
  }),
  row('TR-18', 'a body of 1 MB in two parts', async (judge) => {
    const session = await judge.session()
    const wire = judge.wire(request('POST', session.target, ['Content-Length: 1000000'], '4'))
    await judge.seen()
    wire.write('a'.repeat(999_999))
    return [await wire.answer(), await session.get()]
  }),
  row('TR-20', 'Connection: close', async (judge) => {
    const session = await judge.session()
    return [
      await session.post('4a', ['Connection: close']),
      await judge.all(request('GET', session.target, ['Connection: close'])),
      await session.life(),
    ]
  }),
  row('TR-22', 'packets behind a close', async (judge) => {
    const session = await judge.session()
    const parked = await session.park()
    return [
      await session.post(['4a', '1', '4b'].join(SEPARATOR)),
      await parked.answer,
      await session.get(),
    ]
  }),
  row(
    'TR-28',
    'an old browser',
    (judge) =>
      each(['Mozilla/4.0 (compatible;MSIE 8.0)', 'Mozilla/5.0 (Trident/7.0)', 'MSIE'], (agent) =>
        judge.get(POLLING, [`User-Agent: ${agent}`]),
      ),
  ),
  row(
    'TR-28',
    'an old browser posts',
    async (judge) => {
      const session = await judge.session()
      return session.post('4a', ['User-Agent: Mozilla/5.0 (Trident/7.0)'])
    },
  ),
  row('HS-11', 'a session without polling is not polled', async (judge) => {
    const wire = await judge.webSocket()
    const query = `${POLLING}&sid=${wire.sid}`
    return [await judge.get(query), await judge.ask('POST', query, [], '4a'), await lives(wire)]
  }),
]
