// The page for operators: what it shows, what can be done by it, and that what clients say stays text.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import { Server } from '../js/figures/server.mjs';
import { hasText, launchBrowser, newPage } from './support.mjs';

const HOSTILE = '<img src=x onerror="document.title=1">';
const OPTIONS = [
  `namespace=${JSON.stringify([{ name: '/', auto_join: ['news', '{query.room}'], unhandled: 'ignore' }, { name: '/chat' }])}`,
  'room=[{"match":"news","history":5}]',
];
let browser, open, locked;

before(async () => {
  browser = await launchBrowser();
  open = await Server.start(OPTIONS);
  locked = await Server.start([...OPTIONS, 'api.keys=secret']);
});

after(async () => {
  await browser?.close();
  await Promise.all([open?.stop(), locked?.stop()]);
});

/** A client in the rooms of these servers; it leaves with the test. */
async function join(t, server, query = {}) {
  const socket = io(server.origin, { forceNew: true, transports: ['websocket'], query, reconnection: false });
  t.after(() => socket.disconnect());
  await new Promise((resolve) => socket.on('connect', resolve));
  return socket;
}

/** The page of a server in a context of its own. */
async function look(t, server, path = '#/', options = {}) {
  const page = await newPage(t, browser, server.admin, options);
  await page.goto(`${server.admin}/${path}`);
  return page;
}

test('a key is asked for where there are keys, and kept for the tab only', async (t) => {
  const page = await look(t, locked, '#/', { expected: /401/ });
  await page.fill('[name=key]', 'wrong');
  await page.press('[name=key]', 'Enter');
  await hasText(page, '#login [role=alert]', 'This key is not known.');
  await page.fill('[name=key]', 'secret');
  await page.press('[name=key]', 'Enter');
  await hasText(page, '.tile span', 'sockets');
  await page.reload();
  await hasText(page, '.tile span', 'sockets');
  assert.equal(await page.evaluate(() => document.cookie + JSON.stringify(localStorage)), '{}');
  await page.click('#logout');
  await page.locator('#login').waitFor();
});

test('the overview goes with what happens', async (t) => {
  const page = await look(t, open);
  await hasText(page, '.tile', /^0\s*sockets$/);
  await join(t, open);
  await hasText(page, '.tile', /^1\s*sockets$/);
  await page.locator('.chart svg path.line[d*=L]').first().waitFor({ state: 'attached' });
  assert.equal(await page.locator('.chart').count(), 6);
});

test('a socket is found, shown, emitted to and sent away', async (t) => {
  const socket = await join(t, open);
  const page = await look(t, open, '#/sockets');
  await page.click(`a:text-is("${socket.id}")`);
  await hasText(page, 'dd', 'websocket');
  await hasText(page, 'dd .chip', 'news');
  await hasText(page, 'p.good', 'Nothing makes it slow.');
  await page.click('button:text-is("Emit")');
  assert.equal(await page.inputValue('[name=sid]'), socket.id);
  const heard = new Promise((resolve) => socket.once('hello', (...args) => resolve(args)));
  await page.fill('[name=event]', 'hello');
  await page.fill('[name=args]', '[1, {"a": true}]');
  await page.click('main form button.first');
  assert.deepEqual(await heard, [1, { a: true }]);
  await hasText(page, '[role=status]', 'Sent to 1 socket.');
  await page.fill('[name=args]', '{"no": "list"}');
  await page.click('main form button.first');
  await hasText(page, '[role=status]', /The arguments are a list/);
  await page.goto(`${open.admin}/#/sockets/${socket.id}`);
  const gone = new Promise((resolve) => socket.once('disconnect', resolve));
  await page.click('main button.end:text-is("Disconnect")');
  await page.click('dialog button:text-is("Keep")');
  assert.ok(socket.connected);
  await page.click('main button.end:text-is("Disconnect")');
  await page.click('dialog button.end');
  assert.equal(await gone, 'io server disconnect');
});

test('a room shows its members and what it keeps', async (t) => {
  const socket = await join(t, open);
  await open.emit({ event: 'kept', room: 'news', data: 'first' });
  const page = await look(t, open, '#/rooms');
  await page.click('a:text-is("news")');
  await hasText(page, '.chip', socket.id);
  await hasText(page, 'main p', /^1 member, [1-9]\d* events? kept$/);
  await hasText(page, '.lines li', /^kept \["first"\]$/);
});

test('the tail shows what happens as it does', async (t) => {
  const page = await look(t, open, '#/tail?args=true');
  await page.locator('.lines').waitFor();
  const socket = await join(t, open);
  await hasText(page, '.lines li', new RegExp(`connect.*${socket.id}`));
  socket.emit('from client', { secret: HOSTILE });
  await hasText(page, '.lines li', /event.*from client/);
  await open.emit({ event: 'from server', room: 'news' });
  await hasText(page, '.lines li', /emit.*from server.*recipients 1/);
  await page.click('button:text-is("Pause")');
  socket.disconnect();
  await page.click('button:text-is("Go on")');
  await hasText(page, '.lines li', /disconnect.*client namespace disconnect/);
});

test('what clients say stays text', async (t) => {
  await join(t, open, { room: HOSTILE });
  const page = await look(t, open, '#/rooms');
  await page.click(`a:has-text("onerror")`);
  await hasText(page, 'h2', HOSTILE);
  assert.equal(await page.locator('main img').count(), 0);
  assert.equal(await page.title(), 'socketio-server');
});

test('a server that goes is missed, and found again', async (t) => {
  const server = await Server.start(OPTIONS);
  const page = await look(t, server, '#/', { expected: /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/ });
  await hasText(page, '.tile span', 'sockets');
  await server.stop();
  await hasText(page, '#trouble', 'The server does not answer. Trying again.');
  await server.start();
  await page.locator('#trouble').waitFor({ state: 'hidden' });
  await server.stop();
});

for (const colorScheme of ['light', 'dark']) {
  for (const [width, height] of [[1280, 800], [360, 740]]) {
    test(`every view fits into ${width} pixels in ${colorScheme}`, async (t) => {
      const socket = await join(t, open, { room: 'a room with a rather long name '.repeat(5) });
      const page = await look(t, open, '#/', { colorScheme, viewport: { width, height } });
      // The overview comes last, when its charts have something to show.
      for (const view of ['sockets', `sockets/${socket.id}`, 'rooms', 'rooms/news', 'tail', 'emit', '']) {
        await page.goto(`${open.admin}/#/${view}`);
        await page.locator('main .card').first().waitFor();
        if (view === 'tail') {
          await page.locator('.lines').waitFor();
          socket.emit('from client', 1);
          await open.emit({ event: 'from server', room: 'news' });
          await hasText(page, '.lines li', /from server/);
        } else if (view === '') {
          await page.locator('.chart svg path.line[d*=L]').first().waitFor({ state: 'attached' });
        }
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.doesNotMatch(await page.innerText('main'), /\[object|undefined|NaN/);
        assert.ok(overflow <= 0, `${view} is ${overflow} pixels too wide`);
        const name = `admin-${view.replace(/\W.*/, '') || 'overview'}${view.includes('/') ? '-one' : ''}-${colorScheme}-${width}`;
        await page.screenshot({ path: new URL(`screenshots/${name}.png`, import.meta.url).pathname });
      }
    });
  }
}
