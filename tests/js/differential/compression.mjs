// Compressed polling answers: behaviours 10.

import { request } from '../support/wire.mjs'
import { row, each } from './row.mjs'

/** A message of `size` letters fetched with this Accept-Encoding. */
async function fetched(judge, size, accept) {
  const session = await judge.session()
  await session.post(`4${'a'.repeat(size - 1)}`)
  return session.get(accept === undefined ? [] : [`Accept-Encoding: ${accept}`])
}

export const compression = [
  row('CP-07 TR-01', 'how the length is told', async (judge) => {
    const session = await judge.session()
    const told = async (bytes) => {
      const wire = judge.wire(bytes)
      await wire.answer()
      return /^(content-length|transfer-encoding):.*$/im.exec(wire.head)?.[0].toLowerCase()
    }
    const posted = await told(request('POST', session.target, [], `4${'a'.repeat(1999)}`))
    return [posted, await told(request('GET', session.target, ['Accept-Encoding: gzip']))]
  }),
  row('CP-01', 'what the client accepts', (judge) =>
    each(
      [
        undefined,
        'gzip',
        'deflate',
        'gzip, deflate',
        'deflate, gzip',
        'br',
        'br, gzip',
        'identity',
        '*',
        '',
      ],
      (accept) => fetched(judge, 2000, accept),
    ),
  ),
  row('CP-01', 'weights', (judge) =>
    each(
      [
        'gzip;q=0',
        'gzip;q=0, deflate',
        'gzip;q=0.1, deflate;q=0.9',
        'GZIP',
        'x-gzip',
        '*;q=0',
        'gzip; q=1',
      ],
      (accept) => fetched(judge, 2000, accept),
    ),
  ),
  row('CP-01 CP-02', 'the threshold', (judge) =>
    each([1023, 1024], (size) => fetched(judge, size, 'gzip')),
  ),
  row(
    'CP-03',
    'a threshold of 0',
    (judge) => each(['gzip', 'deflate'], (accept) => fetched(judge, 2, accept)),
    { set: 'all compressed' },
  ),
  row(
    'CP-03',
    'a handshake',
    (judge) => judge.get('EIO=4&transport=polling', ['Accept-Encoding: gzip']),
    { set: 'all compressed' },
  ),
  row(
    'CP-03',
    'the answer to a POST',
    async (judge) => {
      const session = await judge.session()
      return session.post('4a', ['Accept-Encoding: gzip'])
    },
    { set: 'all compressed' },
  ),
  row('CP-03', 'never', (judge) => fetched(judge, 2000, 'gzip'), { set: 'nothing compressed' }),
]
