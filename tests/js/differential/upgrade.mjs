// WebSocket handshakes and the upgrade: catalogue E, behaviours 4 and what of 5 concerns them.

import { lives } from '../support/judge.mjs'
import { binary, closing, frame, KEY, request, text, UPGRADE } from '../support/wire.mjs'
import { each, POLLING, row, WEBSOCKET } from './row.mjs'

/** The headers of an upgrade, one of them replaced or, without a value, left out. */
function upgrade(name, value) {
  const lines = UPGRADE.filter((line) => !line.startsWith(`${name}:`))
  return value === undefined ? lines : [...lines, `${name}: ${value}`]
}

/** How a WebSocket handshake is answered, and its first frame. */
async function dialed(judge, headers, query = WEBSOCKET) {
  const wire = judge.dial(query, headers)
  const answer = await wire.answer()
  if (answer.startsWith('101')) return [answer, await wire.frame()]
  return [answer, answer.includes('[connection: close]') ? await wire.end() : 'stays open']
}

/** What comes of frames on the WebSocket of a polling session, and whether polling lives on. */
async function first(judge, ...frames) {
  const session = await judge.session()
  const wire = await judge.webSocket(session.webSocketQuery)
  wire.write(...frames)
  return [await wire.last(), await session.life()]
}

export const upgradeRows = [
  row('E1 HS-19', 'no key, or a bad one', (judge) =>
    each([undefined, '', 'abc', 'a'.repeat(24), `${KEY}=`], (key) =>
      dialed(judge, upgrade('Sec-WebSocket-Key', key)),
    ),
  ),
  row('E2', 'version 8', (judge) => dialed(judge, upgrade('Sec-WebSocket-Version', '8'))),
  row('E3', 'another version', (judge) =>
    each([undefined, '99', '12', 'x'], (version) =>
      dialed(judge, upgrade('Sec-WebSocket-Version', version)),
    ),
  ),
  row('E4', 'Upgrade: h2c', (judge) =>
    dialed(judge, [
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAAQAAP__',
    ]),
  ),
  row('E5', 'names in capitals, Connection as a list', (judge) =>
    dialed(judge, ['CONNECTION: keep-alive, UPGRADE', 'upgrade: WEBSOCKET', ...UPGRADE.slice(2)]),
  ),
  row('E6', 'Connection: close', (judge) => dialed(judge, upgrade('Connection', 'close'))),
  row('E7', 'an upgrade to polling', async (judge) => {
    const wire = judge.dial(POLLING)
    const answer = await wire.answer()
    return answer.startsWith('101') ? [answer, await wire.last()] : answer
  }),
  row('E7', 'an upgrade to polling of a session', async (judge) => {
    const session = await judge.session()
    const wire = judge.dial(session.query)
    const answer = await wire.answer()
    return [answer, answer.startsWith('101') ? await wire.last() : [], await session.life()]
  }),
  row('E8', 'a POST that asks for an upgrade', (judge) =>
    judge.wire(request('POST', `${judge.path}?${WEBSOCKET}`, UPGRADE)).answer(),
  ),
  row('E9', 'a subprotocol', (judge) => dialed(judge, upgrade('Sec-WebSocket-Protocol', 'foo'))),
  row(
    'E9',
    'a list of subprotocols with a hole',
    (judge) => dialed(judge, upgrade('Sec-WebSocket-Protocol', 'a,,b')),
    {
    },
  ),
  row('E10 CP-05', 'compression that is off', (judge) =>
    each(
      ['permessage-deflate', 'permessage-deflate; server_max_window_bits=99', 'constructor'],
      (extension) => dialed(judge, upgrade('Sec-WebSocket-Extensions', extension)),
    ),
  ),
  row('E11', 'Content-Length', (judge) => dialed(judge, [...UPGRADE, 'Content-Length: 6']), {
  }),
  row('E12 H12 HS-20', 'a request behind the upgrade', async (judge) => {
    const wire = await judge.webSocket(
      WEBSOCKET,
      UPGRADE,
      request('GET', `${judge.path}?${POLLING}`),
    )
    return wire.last()
  }),
  row('HS-20', 'garbage behind the upgrade', async (judge) =>
    (await judge.webSocket(WEBSOCKET, UPGRADE, 'test')).last(),
  ),
  row('HS-21', 'garbage behind the upgrade of a session', async (judge) => {
    const session = await judge.session()
    const wire = await judge.webSocket(session.webSocketQuery, UPGRADE, 'test')
    return [await wire.last(), await session.life()]
  }),
  row('E13 HS-18', 'a request behind a refused upgrade', (judge) =>
    judge.all(
      request('GET', `${judge.path}?EIO=4&transport=foo`, UPGRADE),
      request('GET', `${judge.path}?${POLLING}`),
    ),
  ),
  row('E14', 'an upgrade of an unknown session', (judge) =>
    dialed(judge, UPGRADE, `${WEBSOCKET}&sid=abc`),
  ),
  row('A12 HS-38', 'an upgrade of another revision', async (judge) => {
    const session = await judge.session()
    return [
      await dialed(judge, UPGRADE, session.webSocketQuery.replace('EIO=4', 'EIO=3')),
      await session.life(),
    ]
  }),
  row('E15 UP-06', 'a second upgrade meanwhile', async (judge) => {
    const session = await judge.session()
    const wire = await session.probe()
    const second = await judge.webSocket(session.webSocketQuery)
    const ended = await second.last()
    wire.write(text('5'))
    return [ended, await lives(wire)]
  }),
  row('E16 UP-05', 'a second upgrade afterwards', async (judge) => {
    const session = await judge.session()
    const wire = await session.upgraded()
    const second = await judge.webSocket(session.webSocketQuery)
    return [await second.last(), await lives(wire)]
  }),
  row(
    'E17',
    'an upgrade of a session born on WebSocket',
    async (judge) => {
      const wire = await judge.webSocket()
      const second = judge.dial(`${WEBSOCKET}&sid=${wire.sid}`)
      const answer = await second.answer()
      if (!answer.startsWith('101')) return [answer, await lives(wire)]
      second.write(text('2probe'))
      return [answer, await second.frame()]
    },
  ),
  row(
    'E18 UP-08',
    'a probe, then silence',
    async (judge) => {
      const session = await judge.session()
      const wire = await session.probe()
      const frames = await wire.last()
      const polled = await session.get()
      return [frames, polled.startsWith('200') ? 'polls' : polled]
    },
    { set: 'quick' },
  ),
  row('E19 UP-07', 'no probe', (judge) =>
    each(['2', '2probe!', '40', '4x', '9', '3probe', '1', ''], (packet) =>
      first(judge, text(packet)),
    ),
  ),
  row('E19 UP-07', 'no probe but bytes', (judge) => first(judge, binary('2probe'))),
  row('E19', 'a close frame', (judge) => first(judge, closing(1000))),
  row('E19', 'no frame of WebSocket', (judge) =>
    first(judge, frame(1, '2probe', { masked: false })),
  ),
  row('E20', '5 without a probe', async (judge) => {
    const session = await judge.session()
    const wire = await judge.webSocket(session.webSocketQuery)
    wire.write(text('5'))
    const told = await lives(wire)
    return [told, await session.life()]
  }),
  row('E21', 'something else between probe and 5', (judge) =>
    each(
      [text('4early'), text('1'), text('9'), text('2'), text(''), binary('5')],
      async (bytes) => {
        const session = await judge.session()
        const wire = await session.probe()
        wire.write(bytes)
        return [await wire.last(), await session.life()]
      },
    ),
  ),
  row('E21', 'a message right behind the probe', (judge) =>
    first(judge, text('2probe'), text('4early')),
  ),
  row('E22', '100 probes', async (judge) => {
    const session = await judge.session()
    const wire = await judge.webSocket(session.webSocketQuery)
    let answered = 0
    for (;;) {
      wire.write(text(answered < 100 ? '2probe' : '5'), answered < 100 ? '' : text('4upgraded'))
      const next = await wire.frame()
      if (next !== '3probe') return [`${answered} answered`, next, await session.life()]
      answered += 1
    }
  }),
  row('E23 UP-09', 'the client closes during the upgrade', async (judge) => {
    const session = await judge.session()
    const wire = await session.probe()
    return [await session.post('1'), await wire.last(), await session.get()]
  }),
  row('E23 UP-11', 'the server closes during the upgrade', async (judge) => {
    const session = await judge.session()
    const wire = await session.probe()
    const posted = await session.post('4close')
    await judge.seen()
    wire.write(text('5'))
    return [posted, await wire.last(), await session.get()]
  }),
  row('E24 UP-01', 'a GET waits while the probe comes', async (judge) => {
    const session = await judge.session()
    const parked = await session.park()
    const wire = await session.probe()
    const polled = await parked.answer
    wire.write(text('5'), text('4a'))
    return [polled, await wire.frame()]
  }),
  row('UP-02', 'GETs while the probe stands', async (judge) => {
    const session = await judge.session()
    await session.probe()
    return each([1, 2, 3], () => session.get())
  }),
  row('UP-01 UP-03', 'what polling has not fetched comes by WebSocket', async (judge) => {
    const session = await judge.session()
    const wire = await session.probe()
    await session.post('4a\x1ebAQI=\x1e4b')
    wire.write(text('5'), text('4c'))
    return wire.frames(4)
  }),
  row(
    'UP-14',
    'an upgrade that is not allowed',
    async (judge) => {
      const session = await judge.session()
      const wire = judge.dial(session.webSocketQuery)
      const answer = await wire.answer()
      if (answer.startsWith('101')) wire.write(text('2probe'))
      return [answer, answer.startsWith('101') ? await wire.frame() : [], await session.life()]
    },
    { set: 'no upgrades' },
  ),
  row('UP-16', 'a message right behind 5', async (judge) => {
    const session = await judge.session()
    const wire = await judge.webSocket(session.webSocketQuery)
    wire.write(text('2probe'), text('5'), text('4a'))
    return wire.frames(2)
  }),
  row('UP-10', 'a WebSocket that is cut during the upgrade', async (judge) => {
    const session = await judge.session()
    const wire = await session.probe()
    wire.cut()
    return session.life()
  }),
  row('UP-10', 'a session that is closed as its upgrade begins', async (judge) => {
    const session = await judge.session()
    const wire = await judge.webSocket(session.webSocketQuery)
    const posted = await session.post('1')
    wire.write(text('2probe'))
    return [posted, await wire.last(), await session.get()]
  }),
  row('E19', 'after a failed upgrade, another', async (judge) => {
    const session = await judge.session()
    const failed = await judge.webSocket(session.webSocketQuery)
    failed.write(text('9'))
    await failed.last()
    return lives(await session.upgraded())
  }),
  row('T6', 'a refused upgrade that is reset', async (judge) => {
    for (let i = 0; i < 5; i++) judge.dial(`${WEBSOCKET}&sid=abc`).reset()
    return judge.get('')
  }),
]
