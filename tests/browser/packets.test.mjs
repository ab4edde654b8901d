// The playground's own encoder and decoder against the official parsers. No browser needed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as engine from 'engine.io-parser';
import { Decoder, Encoder, PacketType } from 'socket.io-parser';
import { decode, decodePayload, encode, encodePayload, parse } from '../../server/src/playground/packets.js';
import { classify, explain } from '../../server/src/playground/explain.js';
import { show, wireSize, wireText } from '../../server/src/playground/format.js';

const BYTES = Uint8Array.of(0, 1, 127, 128, 255);

/** `[our packet, the official one]` */
const PACKETS = [
  [{ type: 'CONNECT' }, { type: PacketType.CONNECT, nsp: '/' }],
  [{ type: 'CONNECT', namespace: '/admin', data: { token: '1' } }, { type: PacketType.CONNECT, nsp: '/admin', data: { token: '1' } }],
  [{ type: 'DISCONNECT', namespace: '/admin' }, { type: PacketType.DISCONNECT, nsp: '/admin' }],
  [{ type: 'EVENT', data: ['say', 'ü,/"[1]', 7] }, { type: PacketType.EVENT, nsp: '/', data: ['say', 'ü,/"[1]', 7] }],
  [{ type: 'EVENT', namespace: '/a', ack: 12, data: ['q'] }, { type: PacketType.EVENT, nsp: '/a', id: 12, data: ['q'] }],
  [{ type: 'ACK', ack: 0, data: [] }, { type: PacketType.ACK, nsp: '/', id: 0, data: [] }],
  [{ type: 'EVENT', ack: 3, data: ['b', BYTES, { deep: [BYTES] }] }, { type: PacketType.EVENT, nsp: '/', id: 3, data: ['b', BYTES, { deep: [BYTES] }] }],
  [{ type: 'ACK', ack: 3, data: [BYTES] }, { type: PacketType.ACK, nsp: '/', id: 3, data: [BYTES] }],
];

for (const [ours, official] of PACKETS) {
  const [text, ...attachments] = new Encoder().encode(structuredClone(official));

  test(`encode ${text}`, () => {
    assert.deepEqual(encode(ours), { text, attachments });
  });

  test(`decode ${text}`, () => {
    const packet = decode(text);
    assert.equal(packet.type.replace('BINARY_', ''), ours.type);
    assert.equal(packet.namespace, official.nsp);
    assert.equal(packet.ack, official.id);
    assert.equal(packet.attachments, attachments.length);
    assert.deepEqual(parse(packet.json, attachments), official.data);
  });
}

test('the official decoder reads what we encode', () => {
  for (const [ours, official] of PACKETS) {
    const decoder = new Decoder();
    const decoded = [];
    decoder.on('decoded', (packet) => decoded.push(packet));
    const { text, attachments } = encode(ours);
    for (const part of [text, ...attachments]) decoder.add(part);
    assert.deepEqual(decoded.map(({ nsp, id, data }) => ({ nsp, id, data })), [{ nsp: official.nsp, id: official.id, data: official.data }]);
  }
});

test('payloads agree with engine.io-parser, both ways', async () => {
  const payload = await new Promise((resolve) => {
    engine.encodePayload([{ type: 'message', data: '2["ü"]' }, { type: 'ping' }, { type: 'message', data: Buffer.from(BYTES) }], resolve);
  });
  const packets = ['42["ü"]', '2', BYTES];
  assert.equal(encodePayload(packets), payload);
  assert.deepEqual(decodePayload(payload), packets);
});

test('what is no packet is said to be none', () => {
  for (const raw of ['', 'x', '4', '49[]', '42{', '4"', '0', '0{', '0{}', '43', '42null']) {
    assert.equal(explain(raw, false), 'No packet of this protocol.', raw);
  }
  assert.deepEqual(classify('x'), { engine: 'unknown' });
  assert.deepEqual(classify('4x'), { engine: 'message', socket: 'unknown' });
  assert.throws(() => decode('x'), SyntaxError);
});

test('every packet is explained', () => {
  const cases = [
    ['0{"sid":"secret","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000}', /upgrade to websocket and will ping every 25 s/],
    ['0{"sid":"secret","upgrades":[],"pingInterval":300,"pingTimeout":20000}', /no upgrade and will ping every 300 ms/],
    ['1', /The server closes/], ['2', /whether we are still here/], ['3', /still here/], ['2probe', /Probe/],
    ['3probe', /works/], ['5', /Upgrade/], ['6', /Nothing to say/],
    ['40{"sid":"id"}', /namespace \/: there, our socket id is id/], ['41/chat,', /out of the namespace \/chat/],
    ['42["tea",1]', /“tea” with 1 argument\.$/], ['4512-/x,7["b",{},{}]', /“b” with 2 arguments; wants an ack with id 7; 12 attachments will follow/],
    ['435[]', /ack id 5: 0 arguments/], ['461-2[{"_placeholder":true,"num":0}]', /id 2: 1 argument; 1 attachment will follow/],
    ['44{"message":"no"}', /refuses us: no\.$/], [BYTES, /attachment of 5 bytes/],
  ];
  for (const [raw, meaning] of cases) assert.match(explain(raw, false), meaning);
  assert.match(explain('40', true), /We ask to enter the namespace \//);
  assert.deepEqual(classify('42/chat,7["x"]'), { engine: 'message', socket: 'EVENT', namespace: '/chat', ack: 7 });
});

test('what is shown hides secrets and counts bytes', () => {
  assert.equal(wireText('polling', '0{"sid":"abcdefgh","upgrades":[]}'), '0{"sid":"abcd…","upgrades":[]}');
  assert.equal(wireText('websocket', '40{"sid":"public-id","pid":"abcdefgh"}'), '40{"sid":"public-id","pid":"abcd…"}');
  assert.equal(wireText('websocket', '42["x",{"sid":"abcdefgh"}]'), '42["x",{"sid":"abcdefgh"}]');
  assert.equal(wireText('polling', BYTES), 'bAAF/gP8=');
  assert.equal(wireText('websocket', BYTES), '‹00 01 7f 80 ff›');
  assert.deepEqual([wireSize('polling', BYTES), wireSize('websocket', BYTES), wireSize('polling', '4ü')], [9, 5, 3]);
  assert.equal(show(['a', BYTES, null]), '["a",‹5 bytes: 00 01 7f 80 ff›,null]');
});
