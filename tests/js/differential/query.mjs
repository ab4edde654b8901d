// Handshakes and their queries: catalogue A, behaviours 1.

import { request, UPGRADE } from '../support/wire.mjs'
import { each, POLLING, row, WEBSOCKET } from './row.mjs'

const dialed = (judge, query, headers) => judge.dial(query, headers).answer()

export const query = [
  row('HS-01 HS-02 HS-03', 'a handshake', (judge) => judge.get(POLLING)),
  row('HS-30', 'other parameters', (judge) => judge.get(`a=b&${POLLING}&t=1&c=%20d&b64=0`)),
  row('A1 HS-04 HS-36', 'no transport', (judge) =>
    each(['EIO=4', '', 'transport'], (q) => judge.get(q)),
  ),
  row('A2 HS-05', 'an unknown transport', (judge) =>
    each(['foo', 'Polling', 'webtransport', 'polling%20', ''], (name) =>
      judge.get(`EIO=4&transport=${name}`),
    ),
  ),
  row('A2 A3 HS-06 HS-18', 'an unknown transport, upgrade', (judge) =>
    each(['foo', '__proto__', 'constructor'], (name) => dialed(judge, `EIO=4&transport=${name}`)),
  ),
  row('A3 HS-06', 'a transport that every object has', (judge) =>
    each(['__proto__', 'constructor', 'toString'], (name) => judge.get(`EIO=4&transport=${name}`)),
  ),
  row('A4', 'two transports, the last one counts', (judge) =>
    each(['transport=polling&transport=foo', 'transport=foo&transport=polling'], (q) =>
      judge.get(`EIO=4&${q}`),
    ),
  ),
  row('A5 HS-10', 'websocket without an upgrade', (judge) => judge.get(WEBSOCKET)),
  row('A6 HS-13 HS-14', 'another revision', (judge) =>
    each(
      [
        '',
        'EIO=3&',
        'EIO=5&',
        'EIO=04&',
        'EIO=abc&',
        'EIO=4&EIO=3&',
        'EIO=3&EIO=4&',
        'EIO=%34&',
        'eio=4&',
      ],
      (q) => judge.get(`${q}transport=polling`),
    ),
  ),
  row('A7', 'another revision, WebSocket', (judge) =>
    each(['', 'EIO=3&', 'EIO=5&'], (q) => dialed(judge, `${q}transport=websocket`)),
  ),
  row('A8 HS-09', 'a handshake with another method', (judge) =>
    each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH'], (method) =>
      judge.ask(method, POLLING),
    ),
  ),
  row('A9', 'an empty sid is none', async (judge) => [
    await judge.get(`${POLLING}&sid=`),
    await dialed(judge, `${WEBSOCKET}&sid=`),
  ]),
  row('A10 HS-08 HS-37', 'an unknown sid', (judge) =>
    each(
      ['abc', '__proto__', 'hasOwnProperty', '%00', '%zz%', 'a'.repeat(8000), 'a'.repeat(20)],
      (sid) => judge.get(`${POLLING}&sid=${sid}`),
    ),
  ),
  row('A10', 'an unknown sid, other methods', (judge) =>
    each(['POST', 'PUT', 'OPTIONS', 'HEAD'], (method) => judge.ask(method, `${POLLING}&sid=abc`)),
  ),
  row('A11 HS-11', 'websocket without an upgrade on a session', async (judge) => {
    const session = await judge.session()
    return [await judge.get(session.webSocketQuery), await session.life()]
  }),
  row('A12 HS-38', 'another revision on a session', async (judge) => {
    const session = await judge.session()
    const asked = await each(['EIO=3', 'EIO=5', 'x=4'], (eio) =>
      judge.get(session.query.replace('EIO=4', eio)),
    )
    return [...asked, await session.life()]
  }),
  row('A13 TR-17', 'another method on a session', async (judge) => {
    const session = await judge.session()
    const asked = await each(['PUT', 'OPTIONS', 'HEAD', 'DELETE', 'PATCH'], (method) =>
      session.ask(method),
    )
    return [...asked, await session.life()]
  }),
  row('A14 HS-37', 'parameters that every object has', (judge) =>
    each(['__proto__=1', 'constructor=1', 'hasOwnProperty=1'], (q) => judge.get(`${POLLING}&${q}`)),
  ),
  row('A15', 'a target of 100 KB', (judge) =>
    judge.all(request('GET', `${judge.path}?${'a'.repeat(100_000)}`)),
  ),
  row('A15', 'headers of more than 16 KB', (judge) =>
    judge.all(request('GET', `${judge.path}?${POLLING}`, [`X: ${'a'.repeat(20_000)}`])),
  ),
  row('A16', '1900 headers', (judge) => judge.get(POLLING, Array(1900).fill('a: b'))),
  row('A16', '90 headers', (judge) => judge.get(POLLING, Array(90).fill('a: b'))),
  row('A17 HS-12', 'a control character in Origin', (judge) =>
    judge.all(request('GET', `${judge.path}?${POLLING}`, ['Origin: a\x01'])),
  ),
  row('A18', 'a letter beyond ASCII in Origin', (judge) =>
    judge.get(POLLING, ['Origin: http://\xe9']),
  ),
  row('A19 HS-35', 'the path without its slash', (judge) =>
    judge.all(request('GET', `/engine.io?${POLLING}`, ['Connection: close'])),
  ),
  row(
    'HS-35',
    'the path without its slash',
    (judge) =>
      each(['/engine.io', '/engine.io/'], (path) =>
        judge.wire(request('GET', `${path}?${POLLING}`)).answer(),
      ),
    { set: 'no slash' },
  ),
  row('A20 HS-34', 'more path', (judge) =>
    each(['/engine.io/a/b', '/engine.io/../x'], (path) =>
      judge.wire(request('GET', `${path}?${POLLING}`)).answer(),
    ),
  ),
  row('A21', 'another path', (judge) =>
    each(['//engine.io/', '/%65ngine.io/', '/', '/ENGINE.IO/'], (path) =>
      judge.wire(request('GET', `${path}?${POLLING}`)).answer(),
    ),
  ),
  row(
    'A21',
    'a whole address as the target',
    (judge) => judge.wire(request('GET', `http://evil.test/engine.io/?${POLLING}`)).answer(),
  ),
  row('A22 AT-03', 'an upgrade on another path', (judge) =>
    judge.wire(request('GET', '/other', UPGRADE)).answer(),
  ),
  row('A24', 'HTTP/1.0', (judge) =>
    each(['', 'Host: a.test\r\n'], (host) =>
      judge.all(`GET ${judge.path}?${POLLING} HTTP/1.0\r\n${host}\r\n`),
    ),
  ),
  row(
    'A25',
    'HTTP/1.1 without Host',
    (judge) => judge.wire(`GET ${judge.path}?${POLLING} HTTP/1.1\r\n\r\n`).answer(),
  ),
  row('A26 HS-15', 'the filter says no', (judge) => judge.get(`${POLLING}&deny=nobody`)),
  row('A26 HS-16', 'the filter says no to a WebSocket', (judge) =>
    dialed(judge, `${WEBSOCKET}&deny=nobody`),
  ),
  row('HS-17', 'the filter is not asked about a session', async (judge) => {
    const session = await judge.session()
    const posted = await judge.ask('POST', `${session.query}&deny=nobody`, [], '4a')
    return [posted, await session.get()]
  }),
  row('HS-28', 'a WebSocket handshake', async (judge) => {
    const wire = judge.dial(WEBSOCKET)
    return [await wire.answer(), await wire.frame()]
  }),
  row(
    'HS-07',
    'a transport that is off',
    async (judge) => [await judge.get(WEBSOCKET), await dialed(judge, WEBSOCKET)],
    {
      set: 'polling only',
    },
  ),
  row('HS-07', 'a transport that is off', (judge) => judge.get(POLLING), { set: 'websocket only' }),
  row('HS-29', 'upgrades are none', (judge) => judge.get(POLLING), { set: 'polling only' }),
  row('HS-29', 'upgrades are none', (judge) => judge.get(POLLING), { set: 'no upgrades' }),
  row('HS-29', 'a WebSocket has no upgrades', async (judge) => (await judge.webSocket()).opened, {
    set: 'websocket only',
  }),
  row(
    'HS-33',
    'the initial packet',
    async (judge) => {
      const wire = await judge.webSocket()
      return [await judge.get(POLLING), wire.opened, await wire.frame()]
    },
    { set: 'initial packet' },
  ),
]
