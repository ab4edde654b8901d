// Clients of revision 3: behaviours 2 and 3, and A23.

import { lives } from '../support/judge.mjs'
import { binary, text } from '../support/wire.mjs'
import { each, row } from './row.mjs'

const OLD = 'EIO=3&transport=polling'

const old = (id, title, ask, rest) => row(id, title, ask, { set: 'revision 3', ...rest })

/** The answer to a GET after a POST of this body. */
async function fetched(judge, body, query = OLD, headers = []) {
  const session = await judge.session(query)
  return [await session.post(body, headers), await judge.seen(), await session.get()]
}

export const revision3 = [
  old('A6 HS-14', 'a handshake', (judge) => judge.get(OLD)),
  old('HS-14', 'no revision, or one that is none', (judge) =>
    each(['', 'EIO=5&', 'EIO=abc&'], (eio) => judge.get(`${eio}transport=polling`)),
  ),
  old('HS-14', 'revision 4 beside it', (judge) => judge.get('EIO=4&transport=polling')),
  old('HS-38 A12', 'revision 4 on its session', async (judge) => {
    const session = await judge.session(OLD)
    return [await judge.get(session.query.replace('EIO=3', 'EIO=4')), await session.life()]
  }),
  old('TR-06', 'texts', (judge) => fetched(judge, '6:4hello4:4é🎉')),
  old('TR-07', 'bytes as base64', (judge) =>
    each([OLD, `${OLD}&b64=1`], (query) => fetched(judge, '6:b4AQID2:4a', query)),
  ),
  old('TR-08 TR-09', 'bytes as they are', (judge) =>
    fetched(judge, Buffer.from([1, 4, 0xff, 4, 1, 2, 3, 0, 2, 0xff, 0x34, 0x61]), OLD, [
      'Content-Type: application/octet-stream',
    ]),
  ),
  old('TR-08 TR-09', 'bytes as they are, answered in base64', (judge) =>
    fetched(judge, Buffer.from([1, 4, 0xff, 4, 1, 2, 3]), `${OLD}&b64=1`, [
      'Content-Type: application/octet-stream',
    ]),
  ),
  old('TR-14', 'broken lengths', (judge) =>
    each(['4a', '3:4a', ':4a', 'x:4a', '1:4a', '-1:4', '0:', '2:4a1'], async (body) => {
      const session = await judge.session(OLD)
      return [await session.post(body), await session.life()]
    }),
  ),
  old('TR-14', 'a length with a zero before it', (judge) => fetched(judge, '02:4a')),
  old('TR-14 TR-15', 'an empty body', (judge) => fetched(judge, '')),
  old('HB-06', 'a ping', (judge) => fetched(judge, '1:2')),
  old('HB-06', 'a ping with a word', (judge) => fetched(judge, '6:2probe')),
  old('HB-08', 'a pong', (judge) => fetched(judge, '1:3')),
  row(
    'HB-06',
    'a client that does not ping',
    async (judge) => {
      const wire = await judge.webSocket('EIO=3&transport=websocket')
      const session = await judge.session(OLD)
      const parked = await session.park()
      return [await wire.last(), await parked.answer, await session.get()]
    },
    { set: 'quick revision 3' },
  ),
  row(
    'HB-06',
    'a client that pings',
    async (judge) => {
      const session = await judge.session(OLD)
      return each([1, 2, 3, 4], async () => [
        await session.post('1:2'),
        await session.get(),
        await session.post('2:4a'),
        await session.get(),
      ])
    },
    { set: 'quick revision 3' },
  ),
  old('CL-05', 'a close', async (judge) => {
    const session = await judge.session(OLD)
    const parked = await session.park()
    return [await session.post('1:1'), await parked.answer, await session.get()]
  }),
  old('CL-04', 'the server closes', (judge) => fetched(judge, '6:4close')),
  old('TR-10', 'a waiting GET', async (judge) => {
    const session = await judge.session(OLD)
    const parked = await session.park()
    return [await session.post('2:4a'), await parked.answer]
  }),
  old('B1 TR-11', 'two GETs at once', async (judge) => {
    const session = await judge.session(OLD)
    const parked = await session.park()
    return [await session.get(), await parked.answer]
  }),
  old('TR-05', 'a WebSocket', async (judge) => {
    const wire = await judge.webSocket('EIO=3&transport=websocket')
    wire.write(text('2'), text('2hello'), text('4a'), binary(Buffer.from([4, 1, 2])))
    return [wire.opened, await wire.frames(4)]
  }),
  old('TR-05', 'a WebSocket of base64', async (judge) => {
    const wire = await judge.webSocket('EIO=3&transport=websocket&b64=1')
    wire.write(text('b4AQI='), binary(Buffer.from([4, 1, 2])))
    return wire.frames(2)
  }),
  old('HB-08', 'a pong by WebSocket', async (judge) => {
    const wire = await judge.webSocket('EIO=3&transport=websocket')
    wire.write(text('3'))
    return wire.last()
  }),
  old('UP-01', 'an upgrade', async (judge) => {
    const session = await judge.session(OLD)
    const parked = await session.park()
    const wire = await judge.webSocket(session.webSocketQuery)
    wire.write(text('2probe'))
    const probed = [await wire.frame(), await parked.answer]
    wire.write(text('5'))
    return [probed, await lives(wire), await session.get()]
  }),
  old('A23 TR-26', 'JSONP', async (judge) => {
    const session = await judge.session(`${OLD}&j=5`)
    const posted = await session.post(`d=${encodeURIComponent('7:4a"\n<\u2028b')}`, [
      'Content-Type: application/x-www-form-urlencoded',
    ])
    return [await judge.get(`${OLD}&j=5`), posted, await session.get()]
  }),
  old('A23', 'a callback that is more than a number', (judge) =>
    each(["');alert(1)//", '', 'abc', '1.5', '-1'], (name) =>
      judge.get(`${OLD}&j=${encodeURIComponent(name)}`),
    ),
  ),
]
