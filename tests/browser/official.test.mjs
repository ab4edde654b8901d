// The official client bundle, served by the server under test and run in a real browser.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { gunzipSync, brotliDecompressSync } from 'node:zlib';
import { launchBrowser, newPage, startServer } from './support.mjs';

const BUNDLE = '/socket.io/socket.io.js';

let browser;
let server;

before(async () => {
  [browser, server] = await Promise.all([launchBrowser(), startServer()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** GET without what fetch would do by itself: `{ status, headers, body }`. */
async function get(path, headers = {}) {
  const response = await new Promise((resolve, reject) => {
    http.get(server.origin + path, { headers, agent: false }, resolve).on('error', reject);
  });
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(await response.toArray()) };
}

/** A page of the server's origin with the bundle in it, and nothing else. */
async function openOfficial(t) {
  // A page that did not come from the network counts as a public one, and may not open websockets
  // to this machine without asking.
  const page = await newPage(t, browser, server.origin, { permissions: ['local-network-access'] });
  await page.route('**/official.html', (route) => route.fulfill({
    contentType: 'text/html; charset=utf-8',
    body: `<!doctype html><link rel="icon" href="data:,"><title>official client</title><script src="${BUNDLE}"></script>`,
  }));
  await page.goto(`${server.origin}/official.html`);
  return page;
}

test('the bundle is served with type and ETag', async () => {
  const { status, headers, body } = await get(BUNDLE);
  assert.equal(status, 200);
  assert.equal(headers['content-type'], 'application/javascript; charset=utf-8');
  assert.match(headers.etag, /^"[^"]+"$/);
  assert.match(body.toString(), /Socket\.IO v4/);
});

test('the bundle is not sent again to who has it', async () => {
  const { headers: { etag } } = await get(BUNDLE);
  for (const known of [etag, `W/${etag}`]) {
    const { status, body } = await get(BUNDLE, { 'If-None-Match': known });
    assert.equal(status, 304);
    assert.equal(body.length, 0);
  }
  assert.equal((await get(BUNDLE, { 'If-None-Match': '"another"' })).status, 200);
});

test('the bundle is compressed for who accepts it', async () => {
  const plain = (await get(BUNDLE)).body;
  const decoders = { gzip: gunzipSync, br: brotliDecompressSync };
  const { headers, body } = await get(BUNDLE, { 'Accept-Encoding': 'gzip, deflate, br' });
  assert.ok(headers['content-encoding'] in decoders, `content-encoding: ${headers['content-encoding']}`);
  assert.ok(body.length < plain.length / 2);
  assert.ok(decoders[headers['content-encoding']](body).equals(plain));
});

for (const [name, transports, final] of [
  ['polling, upgraded to websocket', ['polling', 'websocket'], 'websocket'],
  ['polling only', ['polling'], 'polling'],
  ['websocket only', ['websocket'], 'websocket'],
]) {
  test(`official client: ${name}`, async (t) => {
    const page = await openOfficial(t);
    const seen = await page.evaluate(async (transports) => {
      const socket = io({ transports, reconnection: false });
      const { engine } = socket.io;
      const next = (event) => new Promise((resolve) => { socket.once(event, (...args) => resolve(args)); });
      const opened = new Promise((resolve) => { engine.once('open', () => resolve(engine.transport.name)); });
      const upgraded = new Promise((resolve) => { engine.once('upgrade', resolve); });
      const failed = new Promise((_, reject) => {
        socket.once('connect_error', reject);
        engine.once('upgradeError', reject);
      });
      const [welcome] = await Promise.race([next('welcome'), failed]);
      const first = await opened;
      if (transports.length > 1) await Promise.race([upgraded, failed]);

      const text = 'text, ünïcödé, 你好, 🦀, \u0000, "quotes" and \\';
      const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
      const plain = (value) => {
        if (value instanceof ArrayBuffer) return ['bytes', ...new Uint8Array(value)];
        return value;
      };
      const event = next('echo');
      socket.emit('echo', text, bytes, { n: 1 });
      const echoed = await event;
      const acked = await new Promise((resolve) => {
        socket.emit('echo', text, bytes.buffer, (...args) => resolve(args));
      });
      const joined = await socket.emitWithAck('join', 'browser');
      const heard = next('said');
      const answer = await socket.emitWithAck('say', 'browser', text);
      const [said] = await heard;
      const refused = await socket.emitWithAck('say', 'elsewhere', text);
      const result = {
        id: socket.id, welcome, first, last: engine.transport.name, text, joined, answer, said, refused,
        echoed: echoed.map(plain), acked: acked.map(plain),
      };
      socket.disconnect();
      return result;
    }, transports);
    const bytes = ['bytes', ...Array.from({ length: 256 }, (_, index) => index)];
    assert.equal(seen.first, transports[0]);
    assert.equal(seen.last, final);
    assert.deepEqual(seen.welcome, { id: seen.id, events: ['echo', 'join', 'leave', 'say'] });
    assert.deepEqual(seen.echoed, [seen.text, bytes, { n: 1 }]);
    assert.deepEqual(seen.acked, [seen.text, bytes]);
    assert.deepEqual(seen.joined, { room: 'browser', members: 1 });
    assert.deepEqual(seen.answer, { room: 'browser', members: 1 });
    assert.deepEqual(seen.said, { room: 'browser', from: seen.id, text: seen.text });
    assert.equal(typeof seen.refused.error, 'string');
  });
}
