// Frames and packets of a WebSocket: catalogue F and G, behaviours 3, 5 and those of 2 that a WebSocket shows.

import { lives } from '../support/judge.mjs'
import { binary, closing, frame, text } from '../support/wire.mjs'
import { each, row } from './row.mjs'

/** All that comes back for these frames until the connection ends. */
async function ending(judge, ...frames) {
  const wire = await judge.webSocket()
  wire.write(...frames)
  return wire.last()
}

/** What comes back for these frames, and whether the session lives. */
async function living(judge, count, ...frames) {
  const wire = await judge.webSocket()
  wire.write(...frames)
  return [await wire.frames(count), await lives(wire)]
}

const endings =
  (...all) =>
  (judge) =>
    each(all, (bytes) => ending(judge, bytes))

/** The head of a frame that announces so much and brings nothing. */
const announced = (length) => Buffer.concat([Buffer.from([0x82, 0xff]), length, Buffer.alloc(4)])
const u64 = (value) => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return bytes
}

export const frames = [
  row('F1', 'a frame without a mask', endings(frame(1, '4a', { masked: false }))),
  row('F2', 'reserved bits', endings(...[1, 2, 4].map((rsv) => text('4a', { rsv })))),
  row(
    'F3',
    'opcodes that are none',
    endings(...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => frame(opcode))),
  ),
  row(
    'F4',
    'control frames in parts, or too long',
    endings(frame(9, '', { fin: false }), frame(9, 'a'.repeat(126)), frame(8, Buffer.alloc(126))),
  ),
  row('F5', 'a continuation of nothing', endings(frame(0, '4a'))),
  row('F5', 'a message within a message', (judge) =>
    ending(judge, text('4a', { fin: false }), text('4b')),
  ),
  row(
    'F6',
    'text that is no UTF-8',
    endings(
      ...['4\xff', '4\xed\xa0\x80', '4\xc0\x80', '4\xf4\x90\x80\x80'].map((bytes) =>
        text(Buffer.from(bytes, 'latin1')),
      ),
    ),
  ),
  row('F6', 'text that is no UTF-8, in parts', (judge) =>
    ending(
      judge,
      text(Buffer.from('4\xc3', 'latin1'), { fin: false }),
      frame(0, Buffer.from('\x28', 'latin1')),
    ),
  ),
  row('F7', 'text cut within a character', (judge) =>
    living(
      judge,
      1,
      text(Buffer.from('4\xc3', 'latin1'), { fin: false }),
      frame(9, 'p'),
      frame(0, Buffer.from('\xa9', 'latin1')),
      frame(10),
    ).then(sorted),
  ),
  row(
    'F8',
    'close codes that nobody may send',
    endings(...[999, 1004, 1005, 1006, 1015, 1016, 2999, 5000].map((code) => closing(code))),
  ),
  row(
    'F8',
    'a close of one byte, and a reason that is no UTF-8',
    endings(frame(8, 'a'), frame(8, Buffer.from([3, 232, 0xff]))),
  ),
  row(
    'F9',
    'a close frame',
    endings(
      closing(),
      closing(1000),
      closing(1000, 'bye'),
      closing(1001),
      closing(3000),
      closing(4999, 'é'),
    ),
  ),
  row(
    'F10 F11',
    'lengths beyond the limit',
    endings(
      ...[1n << 63n, 1n << 53n, (1n << 64n) - 1n, 1n << 32n, 1_000_001n].map((length) =>
        announced(u64(length)),
      ),
    ),
  ),
  row('F12', 'a length in more bytes than it needs', async (judge) => {
    const wire = await judge.webSocket()
    wire.write(Buffer.from([0x81, 0xfe, 0, 2, 0, 0, 0, 0, 0x34, 0x61]))
    return wire.frame()
  }),
  row('F13 PL-02', 'exactly the limit', (judge) =>
    living(judge, 2, text(`4${'a'.repeat(999_999)}`), binary(Buffer.alloc(1_000_000))),
  ),
  row(
    'F13 PL-04 CL-19',
    'one byte over the limit',
    endings(text(`4${'a'.repeat(1_000_000)}`), binary(Buffer.alloc(1_000_001))),
  ),
  row(
    'F13',
    'the limit of 100 bytes',
    (judge) =>
      each(
        [
          text(`4${'a'.repeat(99)}`),
          text(`4${'é'.repeat(50)}`),
          text(`4${'a'.repeat(100)}`),
          binary(Buffer.alloc(101)),
        ],
        async (bytes) => {
          const wire = await judge.webSocket()
          wire.write(bytes)
          return wire.frame()
        },
      ),
    { set: '100 bytes' },
  ),
  row(
    'F14',
    'fragments beyond the limit',
    (judge) =>
      ending(judge, text('4'.repeat(60), { fin: false }), frame(0, 'a'.repeat(60), { fin: false })),
    { set: '100 bytes' },
  ),
  row('F15', '20,000 empty continuations', async (judge) => {
    const wire = await judge.webSocket()
    wire.write(
      text('4', { fin: false }),
      ...Array(20_000).fill(frame(0, '', { fin: false })),
      frame(0, 'a'),
    )
    return wire.frame()
  }),
  row('F15', '16,000 fragments', (judge) =>
    living(
      judge,
      1,
      text('4', { fin: false }),
      ...Array(16_000).fill(frame(0, 'a', { fin: false })),
      frame(0),
    ),
  ),
  row('F17', 'pings', (judge) =>
    living(judge, 3, frame(9), text('4a'), frame(9, 'a'.repeat(125))).then(sorted),
  ),
  row('F18', 'a pong that nobody asked for', (judge) => living(judge, 0, frame(10, 'x'))),
  row('F19 F20', 'empty frames', (judge) =>
    each([text(''), binary('')], async (bytes) => {
      const wire = await judge.webSocket()
      wire.write(bytes)
      return wire.frame()
    }),
  ),
  row('F21', '10,000 empty frames', (judge) => ending(judge, ...Array(10_000).fill(text('')))),
  row('F22', 'frames behind a close frame', (judge) => ending(judge, closing(1000), text('4a'))),
  row('G1 TR-16', 'no packet', endings(text('x'), text('9'), text(''), text('\ufeff4a'))),
  row('G2 HB-07', 'a ping', endings(text('2'), text('2probe'))),
  row('G3', '60 pongs', (judge) => living(judge, 0, ...Array(60).fill(text('3')))),
  row('G3', '200 pongs', (judge) => living(judge, 0, ...Array(200).fill(text('3'))), {
  }),
  row(
    'G4 HB-03',
    'a client that answers no ping',
    async (judge) => (await judge.webSocket()).last(),
    { set: 'quick' },
  ),
  row(
    'G5 HB-16',
    'messages instead of pongs',
    async (judge) => {
      const wire = await judge.webSocket()
      const heard = []
      // The first message is sent once the ping is there, the others when their echoes are.
      for (;;) {
        const next = await wire.frame()
        if (next.startsWith('close') || next === 'end') return [heard[0], next]
        heard.push(next)
        wire.write(text('4a'))
      }
    },
    { set: 'quick' },
  ),
  row(
    'HB-01 HB-02',
    'pongs',
    async (judge) => {
      const wire = await judge.webSocket()
      return each([1, 2, 3], async () => {
        const ping = await wire.frame()
        wire.write(text('3'))
        return ping
      })
    },
    { set: 'quick' },
  ),
  row('G6', 'base64 in a text frame', (judge) => living(judge, 1, text('bAQID'))),
  row('C15', 'no base64 in a text frame', async (judge) => {
    const wire = await judge.webSocket()
    wire.write(text('b!!!notbase64!!!'))
    return wire.frame()
  }),
  row('TR-04 TR-21 TR-23', 'texts and bytes', (judge) =>
    living(
      judge,
      4,
      text('4é🎉 \u2028\0'),
      text('4'),
      binary(Buffer.from([0, 4, 255])),
      text('4\x1e4'),
    ),
  ),
  row('C3', 'packets without a meaning, WebSocket', (judge) =>
    living(judge, 0, text('0'), text('5'), text('6'), text('3')),
  ),
  row('C4 TR-24 CL-07', 'the server closes', (judge) =>
    ending(judge, text('4a'), text('4close'), text('4b')),
  ),
  row(
    'CL-06',
    'a close packet',
    async (judge) => {
      const wire = await judge.webSocket()
      wire.write(text('1'), text('4a'))
      return wire.last()
    },
    { set: 'quick' },
  ),
  row('HB-15 TR-20', 'a connection that is cut', async (judge) => {
    const wire = await judge.webSocket()
    wire.cut()
    return judge.get('')
  }),
]

/** A pong may pass a message that was sent before it. */
function sorted([frames, life]) {
  return [[...frames].sort(), life]
}
