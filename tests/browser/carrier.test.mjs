// What the playground does when its connection is not as it should be. Faults are made on the way
// (playwright's routes) or by time (its clock), so that nothing has to be waited for.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  connectedBy, hasText, hears, join, launchBrowser, newPage, openPlayground, packet, packets, say, startServer,
} from './support.mjs';

let browser;
let server;

before(async () => {
  [browser, server] = await Promise.all([launchBrowser(), startServer()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A playground, and the websocket that carries it: by it the test speaks as if it were the server. */
async function openBehindRoute(t) {
  const page = await newPage(t, browser, server.origin);
  let routed;
  await page.routeWebSocket(/socket\.io/, (websocket) => {
    websocket.connectToServer();
    routed = websocket;
  });
  await page.goto(server.origin);
  await connectedBy(page, 'websocket');
  return { page, websocket: routed };
}

test('a server that restarts is found again, and the rooms are joined again', async (t) => {
  const first = await startServer();
  const page = await openPlayground(t, browser, first.origin, { expected: /ERR_|WebSocket connection/ });
  await join(page, 'harbour');
  await first.stop();
  await hasText(page, '#state', 'waiting');
  const second = await startServer(first.port);
  t.after(() => second.stop());
  await connectedBy(page, 'websocket');
  await page.locator('.messages .notice', { hasText: 'You joined' }).nth(1).waitFor();
  await say(page, 'still afloat');
  await hears(page, 'still afloat');
});

test('a ping is answered with a pong, and both can be hidden', async (t) => {
  const { page, websocket } = await openBehindRoute(t);
  websocket.send('2');
  await packet(page, 'received', '2');
  await page.locator('#packets li.sent[data-raw="3"]').waitFor();
  await page.check('#hide-heartbeat');
  await page.locator('#packets li.sent[data-raw="3"]').waitFor({ state: 'hidden' });
  await hasText(page, '#log-count', /2 hidden/);
  assert.ok(await page.locator('#packets li[data-raw="2probe"]').isVisible());
});

test('no ping within interval and timeout: the connection counts as lost, and is made anew', async (t) => {
  const page = await newPage(t, browser, server.origin);
  await page.clock.install();
  await page.goto(server.origin);
  await connectedBy(page, 'websocket');
  await page.clock.fastForward(45_001);
  await page.locator('#packets .note', { hasText: 'ping timeout' }).waitFor();
  await page.clock.fastForward(1_501);
  await connectedBy(page, 'websocket');
});

test('DISCONNECT from the server is final', async (t) => {
  const { page, websocket } = await openBehindRoute(t);
  websocket.send('41');
  await hasText(page, '#state', 'disconnected');
  await hasText(page, '#detail', 'the server disconnected this socket');
  await page.click('#connect');
  await connectedBy(page, 'websocket');
});

test('CONNECT_ERROR is final, and its message is shown', async (t) => {
  const { page, websocket } = await openBehindRoute(t);
  websocket.send('44{"message":"not today"}');
  await hasText(page, '#state', 'disconnected');
  await hasText(page, '#detail', 'the server refused: not today');
});

test('an event that asks for an ack gets one', async (t) => {
  const { page, websocket } = await openBehindRoute(t);
  websocket.send('427["question"]');
  await packet(page, 'sent', '437[]');
  await hasText(page, '#received b', 'question');
});

test('packets of no protocol end the connection, not the page', async (t) => {
  const { page, websocket } = await openBehindRoute(t);
  websocket.send('42{not json');
  await hasText(page, '#state', 'disconnected');
  await hasText(page, '#detail', /parse error/);
  await page.locator('#packets', { hasText: 'No packet of this protocol' }).waitFor();
});

test('without websockets it stays with polling', async (t) => {
  const page = await newPage(t, browser, server.origin);
  await page.routeWebSocket(/socket\.io/, (websocket) => websocket.close());
  await page.goto(server.origin);
  await connectedBy(page, 'polling');
  await join(page, 'slow lane');
  await say(page, 'nevertheless');
  await hears(page, 'nevertheless');
  assert.ok((await packets(page)).every(({ transport }) => transport === 'polling'));
});

test('a closed tab leaves its rooms at once, by polling, too', async (t) => {
  const stays = await openPlayground(t, browser, server.origin);
  const goes = await openPlayground(t, browser, server.origin);
  await goes.selectOption('#transports', 'polling');
  await connectedBy(goes, 'polling');
  await join(stays, 'hall');
  await join(goes, 'hall');
  await hasText(stays, '#members', '2 members in hall.');
  await goes.goto('about:blank');
  await hasText(stays, '#members', '1 member in hall.');
});
