// Origins, CORS and cookies: catalogue D, behaviours 7 and 8.

import { UPGRADE } from '../support/wire.mjs'
import { each, POLLING, row, WEBSOCKET } from './row.mjs'

const GOOD = 'Origin: http://good.test'
const EVIL = 'Origin: http://evil.test'
const PREFLIGHT = ['Access-Control-Request-Method: POST', 'Access-Control-Request-Headers: x-asked']

const dialed = (judge, headers) => judge.dial(WEBSOCKET, [...UPGRADE, ...headers]).answer()

const hideSid = (answer) => answer.replace(/=[\w-]{20};/, '=<sid>;')

/** Origins that resemble the one that is let in. */
const SIMILAR = [
  'http://good.test.evil.test',
  'http://evilgood.test',
  'http://good.test:81',
  'https://good.test',
]

export const origin = [
  row('D1 CO-01', 'a page of another origin, polling', (judge) => judge.get(POLLING, [EVIL])),
  row('D1 CO-01', 'and its POSTs', async (judge) => {
    const session = await judge.session()
    return [await session.post('4a', [EVIL]), await session.get([EVIL])]
  }),
  row('D2', 'a page of another origin, WebSocket', (judge) => dialed(judge, [EVIL])),
  row('D2', 'a page of the same origin, WebSocket', (judge) =>
    dialed(judge, ['Origin: http://a.test']),
  ),
  row('CO-01', 'a preflight', (judge) => judge.ask('OPTIONS', POLLING, [EVIL, ...PREFLIGHT])),
  row('D3', 'an origin not in the list, WebSocket', (judge) => dialed(judge, [EVIL]), {
    set: 'cors',
  }),
  row('D3', 'an origin in the list, WebSocket', (judge) => dialed(judge, [GOOD]), { set: 'cors' }),
  row('D4', 'an origin not in the list, handshake', (judge) => judge.get(POLLING, [EVIL]), {
    set: 'cors',
  }),
  row(
    'D4',
    'an origin not in the list, POST',
    async (judge) => {
      const session = await judge.session(POLLING)
      return [await session.post('4a', [EVIL]), await session.life()]
    },
    { set: 'cors' },
  ),
  row(
    'D4',
    'an origin not in the list, GET',
    async (judge) => {
      const session = await judge.session(POLLING)
      await session.post('4a')
      return session.get([EVIL])
    },
    { set: 'cors' },
  ),
  row(
    'D5 CO-05',
    'an origin not in the list, preflight',
    (judge) => judge.ask('OPTIONS', POLLING, [EVIL, ...PREFLIGHT]),
    { set: 'cors' },
  ),
  row(
    'CO-02 CO-06 CO-08',
    'a preflight',
    (judge) => judge.ask('OPTIONS', POLLING, [GOOD, ...PREFLIGHT]),
    { set: 'cors' },
  ),
  row('CO-02', 'a preflight without an origin', (judge) => judge.ask('OPTIONS', POLLING), {
    set: 'cors',
  }),
  row(
    'CO-02',
    'a preflight of a session',
    async (judge) => {
      const session = await judge.session(POLLING)
      return [await session.ask('OPTIONS', [GOOD, ...PREFLIGHT]), await session.life()]
    },
    { set: 'cors' },
  ),
  row(
    'CO-12',
    'a preflight to a path below',
    (judge) => judge.ask('OPTIONS', POLLING, [GOOD, ...PREFLIGHT]),
    { set: 'cors for all' },
  ),
  row('CO-07 CO-08', 'a handshake', (judge) => judge.get(POLLING, [GOOD]), { set: 'cors' }),
  row('CO-07', 'a handshake without an origin', (judge) => judge.get(POLLING), { set: 'cors' }),
  row(
    'CO-07 CO-11',
    'a POST and a GET',
    async (judge) => {
      const session = await judge.session(POLLING)
      return [await session.post('4a', [GOOD]), await session.get([GOOD])]
    },
    { set: 'cors' },
  ),
  row(
    'CO-09',
    'refusals',
    async (judge) => [
      await judge.get('', [GOOD]),
      await judge.get(`${POLLING}&sid=a`, [GOOD]),
      await judge.get(`${POLLING}&deny=a`, [GOOD]),
    ],
    { set: 'cors' },
  ),
  row('CO-09', 'a refused WebSocket', (judge) => judge.dial('', [...UPGRADE, GOOD]).answer(), {
    set: 'cors',
  }),
  row(
    'D6',
    'no origin of its own',
    async (judge) => [
      await judge.get(POLLING, ['Origin: null']),
      await judge.ask('OPTIONS', POLLING, ['Origin: null', ...PREFLIGHT]),
    ],
    { set: 'cors' },
  ),
  row(
    'D7',
    'origins that resemble it, preflight',
    (judge) =>
      each(SIMILAR, (value) => judge.ask('OPTIONS', POLLING, [`Origin: ${value}`, ...PREFLIGHT])),
    { set: 'cors' },
  ),
  row(
    'D7',
    'the same origin in capitals',
    (judge) => judge.get(POLLING, ['Origin: HTTP://GOOD.TEST']),
    { set: 'cors' },
  ),
  row('D9', 'two origins', (judge) => judge.get(POLLING, [GOOD, EVIL])),
  row('D9', 'two origins, WebSocket', (judge) => dialed(judge, [GOOD, EVIL])),
  row(
    'CO-03 CO-04',
    'any origin',
    async (judge) => [
      await judge.get(POLLING, [EVIL]),
      await judge.get(POLLING),
      await dialed(judge, [EVIL]),
    ],
    {
      set: 'cors for all',
    },
  ),
  row(
    'CO-06',
    'any origin, preflight',
    async (judge) => [
      await judge.ask('OPTIONS', POLLING, [EVIL, ...PREFLIGHT]),
      await judge.ask('OPTIONS', POLLING, [EVIL]),
    ],
    { set: 'cors for all' },
  ),
  row('CK-01', 'no cookie', (judge) => judge.get(POLLING)),
  row('CK-03 CK-04', "a cookie of one's own", async (judge) => hideSid(await judge.get(POLLING)), {
    set: 'own cookie',
  }),
  row('CK-03', 'a cookie without a path', async (judge) => hideSid(await judge.get(POLLING)), {
    set: 'cookie without a path',
  }),
  row(
    'A18',
    'a letter beyond ASCII in Origin',
    (judge) => judge.get(POLLING, ['Origin: http://\xe9']),
    { set: 'cors for all' },
  ),
  row(
    'CK-02 CK-05 D10',
    'the cookie',
    async (judge) => {
      const session = await judge.session(POLLING)
      return [
        hideSid(await judge.get(POLLING)),
        await session.post('4a'),
        await session.get(),
        await dialed(judge, []),
        await judge.get(`${POLLING}&sid=a`),
      ]
    },
    { set: 'cookie' },
  ),
]
