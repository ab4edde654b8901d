// The playground page as people use it: connect, join, chat, send, read the log.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  connectedBy, emit, hasText, hears, join, launchBrowser, newPage, openPlayground, packet, packets, say, startServer,
} from './support.mjs';

let browser;
let server;
const open = (t, options) => openPlayground(t, browser, server.origin, options);

before(async () => {
  [browser, server] = await Promise.all([launchBrowser(), startServer()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test('the log shows handshake, CONNECT, probe and upgrade, in this order', async (t) => {
  const page = await open(t);
  await packet(page, 'received', '42["welcome"');
  const rows = await packets(page);
  const index = (sent, transport, raw) => {
    const found = rows.findIndex((row) => row.sent === sent && row.transport === transport && row.raw.startsWith(raw));
    assert.notEqual(found, -1, `${raw} is not in the log`);
    return found;
  };
  assert.equal(index(false, 'polling', '0{'), 0);
  assert.ok(index(true, 'polling', '40') < rows.findIndex(({ sent, raw }) => !sent && raw.startsWith('40{"sid"')));
  const probe = [index(true, 'websocket', '2probe'), index(false, 'websocket', '3probe'), index(true, 'websocket', '5')];
  assert.deepEqual(probe, probe.toSorted((a, b) => a - b));
  assert.match(rows[0].text, /open.*Handshake: the server opens a session/s);
  assert.ok(rows.every(({ text }) => !text.includes('No packet of this protocol')));
  await hasText(page, '#step-polling.done', /polling/);
  await hasText(page, '#socket-id', /^[\w-]{20}$/);
});

test('the handshake is shown with its session id cut, in the panel and in the log', async (t) => {
  const page = await newPage(t, browser, server.origin);
  const answer = page.waitForResponse(/transport=polling/).then((response) => response.text());
  await page.goto(server.origin);
  const { sid } = JSON.parse((await answer).slice(1));
  await connectedBy(page, 'websocket');
  await hasText(page, '#handshake-sid', `${sid.slice(0, 4)}…`);
  await hasText(page, '#handshake-upgrades', 'websocket');
  await hasText(page, '#handshake-interval', '25 s');
  await hasText(page, '#handshake-timeout', '20 s');
  await hasText(page, '#handshake-payload', '1,000,000 bytes');
  assert.ok(!(await page.innerText('body')).includes(sid));
});

test('two tabs join a room and chat both ways', async (t) => {
  const [one, two] = await Promise.all([open(t), open(t)]);
  await join(one, 'tea');
  await hasText(one, '#members', '1 member in tea.');
  await join(two, 'tea');
  const name = (await two.innerText('#socket-id')).slice(0, 6);
  await hasText(one, '#members', '2 members in tea.');
  await hasText(one, '.messages .notice', `${name} joined`);
  await say(one, 'Good morning');
  await hears(two, 'Good morning');
  await say(two, 'Grüße, 你好, 🫖');
  await hears(one, 'Grüße, 你好, 🫖');
  await hasText(one, '.message .from b', name);
  await hasText(two, '.message.own .text', 'Grüße, 你好, 🫖');
  await two.context().close();
  await hasText(one, '.messages .notice', `${name} left`);
  await hasText(one, '#members', '1 member in tea.');
});

test('after Leave nothing more is heard from the room', async (t) => {
  const [one, two] = await Promise.all([open(t), open(t)]);
  for (const page of [one, two]) {
    await join(page, 'north');
    await join(page, 'south');
  }
  await two.locator('#rooms button').filter({ hasText: 'north' }).click();
  await two.click('#leave');
  await hasText(two, '#members', '2 members in south.');
  await one.locator('#rooms button').filter({ hasText: 'north' }).click();
  await hasText(one, '#members', '1 member in north.');
  await say(one, 'nobody hears this');
  await hears(one, 'nobody hears this');
  await one.locator('#rooms button').filter({ hasText: 'south' }).click();
  await say(one, 'this is heard');
  await hears(two, 'this is heard');
  assert.ok((await packets(two)).every(({ raw }) => !raw.includes('nobody hears this')));
});

test('a room that is not looked at counts what is new in it', async (t) => {
  const [one, two] = await Promise.all([open(t), open(t)]);
  await join(one, 'left');
  await join(two, 'left');
  await join(one, 'right');
  await say(two, 'psst');
  await hasText(one, '#rooms button', 'left 1 new');
  await one.locator('#rooms button').filter({ hasText: 'left' }).click();
  await hears(one, 'psst');
  await hasText(one, '#rooms button', 'left');
});

for (const transport of ['polling', 'websocket']) {
  test(`${transport} only stays with ${transport}`, async (t) => {
    const page = await open(t);
    await page.click('#clear');
    await page.selectOption('#transports', transport);
    await connectedBy(page, transport);
    await join(page, 'quiet');
    await say(page, 'by one transport');
    await hears(page, 'by one transport');
    const rows = (await packets(page)).slice((await packets(page)).findIndex(({ raw }) => raw.startsWith('0{')));
    assert.deepEqual(new Set(rows.map((row) => row.transport)), new Set([transport]));
    assert.ok(rows.every(({ raw }) => raw !== '2probe'));
  });
}

test('disconnect stays disconnected; connect comes back, with its rooms', async (t) => {
  const page = await open(t);
  await join(page, 'home');
  await page.click('#disconnect');
  await hasText(page, '#state', 'disconnected');
  await packet(page, 'sent', '41');
  assert.ok(await page.isDisabled('#send') && await page.isDisabled('#emit') && await page.isDisabled('#join'));
  const before = await page.locator('.messages .notice', { hasText: 'You joined' }).count();
  await page.click('#connect');
  await connectedBy(page, 'websocket');
  await page.locator('.messages .notice', { hasText: 'You joined' }).nth(before).waitFor();
  await say(page, 'back again');
  await hears(page, 'back again');
});

test('a custom event is acked, and comes back as an event', async (t) => {
  const page = await open(t);
  await page.fill('#event', 'echo');
  await page.fill('#arguments', '["ünï", {"deep": [1, null, true]}, 0.5]');
  await page.click('#emit');
  await hasText(page, '#event-result code', '["ünï",{"deep":[1,null,true]},0.5]');
  await page.uncheck('#want-ack');
  await page.fill('#arguments', '["without an ack"]');
  await page.click('#emit');
  await hasText(page, '#received li', /echo \["without an ack"\]/);
  await page.click('#measure');
  await hasText(page, '#round-trip', /^[\d.]+ m?s$/);
});

for (const transport of ['polling', 'websocket']) {
  test(`binary arguments come back byte for byte by ${transport}`, async (t) => {
    const page = await open(t);
    await page.selectOption('#transports', transport);
    await connectedBy(page, transport);
    await page.fill('#arguments', '["two of them"]');
    await page.click('#attach');
    await page.click('#attach');
    const chips = await page.locator('#attachments button').allInnerTexts();
    assert.equal(chips.length, 2);
    await page.click('#emit');
    await hasText(page, '#event-result code', `["two of them",${chips.map((chip) => chip.replace(' ×', '')).join(',')}]`);
    await packet(page, 'sent', '452-');
    await packet(page, 'received', '462-');
    await page.locator('#attachments button').first().click();
    await page.locator('#attachments button').nth(1).waitFor({ state: 'detached' });
  });
}

test('what cannot be sent is refused with the reason', async (t) => {
  const page = await open(t);
  for (const [name, json, reason] of [
    ['echo', '["open', /no JSON/],
    ['echo', '{"a": 1}', /must be a JSON array/],
    ['disconnect', '[]', /reserved/],
  ]) {
    await page.fill('#event', name);
    await page.fill('#arguments', json);
    await page.click('#emit');
    await hasText(page, '#event-error', reason);
  }
  await page.fill('#event', 'say');
  await page.fill('#arguments', '["a room one is not in", "hello"]');
  await page.click('#emit');
  await hasText(page, '#event-result code', /"error":/);
});

test('HTML from outside is inert text', async (t) => {
  const [one, two] = await Promise.all([open(t), open(t)]);
  const html = '<img src=x onerror="window.stung = true">';
  await join(one, html);
  await join(two, html);
  await say(two, html);
  await hears(one, html);
  await emit(server.origin, { event: html, args: [html] });
  await hasText(one, '#received b', html);
  for (const page of [one, two]) {
    assert.equal(await page.locator('img').count(), 0);
    assert.equal(await page.evaluate(() => window.stung), undefined);
  }
});

test('POST /api/v1/emit appears in the chat, in the log and among the events', async (t) => {
  const page = await open(t);
  await join(page, 'news');
  const said = { room: 'news', from: 'curl', text: 'hello from outside' };
  assert.equal(await emit(server.origin, { namespace: '/', room: 'news', event: 'said', args: [said] }), 1);
  await hears(page, 'hello from outside');
  await hasText(page, '.message .from b', 'curl');
  assert.equal(await emit(server.origin, { room: 'nobody is here', event: 'said', args: [said] }), 0);
  await emit(server.origin, { event: 'said', args: [{ ...said, text: 'to everyone' }] });
  await hears(page, 'to everyone');
  await emit(server.origin, { event: 'price', args: ['tea', 3] });
  await hasText(page, '#received li', /price \["tea",3\]/);
  await packet(page, 'received', '42["price","tea",3]');
});

test('the log can be searched, paused and cleared, and long packets opened', async (t) => {
  const page = await open(t);
  await page.fill('#search', '3probe');
  await page.locator('#packets li:visible').nth(1).waitFor({ state: 'hidden' });
  assert.equal(await page.locator('#packets li:visible').count(), 1);
  await page.fill('#search', '');
  await page.click('#pause');
  await emit(server.origin, { event: 'while', args: ['paused'] });
  await hasText(page, '#received b', 'while');
  await hasText(page, '#log-count', /1 waiting/);
  assert.equal(await page.locator('#packets li[data-raw*=paused]').count(), 0);
  await page.click('#pause');
  await packet(page, 'received', '42["while","paused"]');
  await page.click('#clear');
  assert.equal(await page.locator('#packets li').count(), 0);
  await emit(server.origin, { event: 'long', args: ['x'.repeat(5000)] });
  const row = page.locator('#packets button.raw');
  assert.ok((await row.innerText()).length < 300);
  await row.click();
  assert.ok((await row.innerText()).length > 5000);
});
