// How the page looks and whether everybody can use it. The screenshots are for people to look at:
// screenshots/desktop-light.png, desktop-dark.png and phone.png.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { emit, hasText, hears, join, launchBrowser, newPage, openPlayground, say, startServer } from './support.mjs';

const AXE = fileURLToPath(import.meta.resolve('axe-core/axe.min.js'));
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 360, height: 740 };
const WORD = 'Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft'.repeat(3);

let browser;
let server;

before(async () => {
  [browser, server] = await Promise.all([launchBrowser(), startServer()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A page with something in each of its parts. */
async function openFull(t, options) {
  const page = await openPlayground(t, browser, server.origin, { bypassCSP: true, reducedMotion: 'reduce', ...options });
  await join(page, 'garden');
  await join(page, 'lobby');
  await say(page, 'Is anybody here?');
  await emit(server.origin, { room: 'lobby', event: 'said', args: [{ room: 'lobby', from: 'curl', text: 'A terminal is!' }] });
  await hears(page, 'A terminal is!');
  await page.click('#attach');
  await page.click('#emit');
  await hasText(page, '#event-result code', /hello/);
  await page.evaluate(() => document.activeElement.blur());
  return page;
}

async function shoot(page, name) {
  await page.screenshot({ path: fileURLToPath(new URL(`screenshots/${name}.png`, import.meta.url)), fullPage: true });
}

async function assertAccessible(page) {
  await page.addScriptTag({ path: AXE });
  const violations = await page.evaluate(async () => (await axe.run()).violations);
  const shown = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('\n')}`);
  assert.deepEqual(shown, []);
}

for (const colorScheme of ['light', 'dark']) {
  test(`accessible and whole in ${colorScheme}`, async (t) => {
    const page = await openFull(t, { viewport: DESKTOP, colorScheme });
    await assertAccessible(page);
    await shoot(page, `desktop-${colorScheme}`);
  });
}

test('a phone scrolls in one direction only, whatever is said', async (t) => {
  const page = await openFull(t, { viewport: PHONE, deviceScaleFactor: 2, isMobile: true, hasTouch: true });
  await assertAccessible(page);
  await shoot(page, 'phone');
  await join(page, WORD.slice(0, 100));
  await say(page, WORD);
  await hears(page, WORD);
  await emit(server.origin, { event: WORD, args: [WORD] });
  await hasText(page, '#received b', WORD);
  await page.click('#disconnect');
  const { scroll, view } = await page.evaluate(() => ({
    scroll: document.documentElement.scrollWidth,
    view: document.documentElement.clientWidth,
  }));
  assert.equal(view, PHONE.width);
  assert.ok(scroll <= view, `the page is ${scroll} wide on a screen of ${view}`);
});

test('join and chat by keyboard alone', async (t) => {
  const page = await openPlayground(t, browser, server.origin);
  const reach = async (id) => {
    for (let tab = 0; tab < 20; tab += 1) {
      await page.keyboard.press('Tab');
      if (await page.evaluate(() => document.activeElement.id) === id) return;
    }
    assert.fail(`${id} is not reached by Tab`);
  };
  await reach('room');
  await page.keyboard.press('Enter');
  await hasText(page, '#members', '1 member in lobby.');
  await page.keyboard.type('no mouse');
  await page.keyboard.press('Enter');
  await hears(page, 'no mouse');
});

test('the page and its files have their types', async () => {
  const type = async (path) => {
    const response = await fetch(server.origin + path);
    assert.equal(response.status, 200, path);
    return response.headers.get('content-type');
  };
  const html = await readFile(new URL('../../server/src/playground/page.html', import.meta.url), 'utf8');
  assert.equal(await (await fetch(server.origin)).text(), html);
  assert.equal(await type('/'), 'text/html; charset=utf-8');
  assert.equal(await type('/playground/page.css'), 'text/css; charset=utf-8');
  for (const file of ['chat', 'connection', 'dom', 'engine', 'events', 'explain', 'format', 'log', 'packets', 'page', 'socket', 'terminal']) {
    assert.equal(await type(`/playground/${file}.js`), 'text/javascript; charset=utf-8');
  }
});

test('Copy puts a snippet and the log into the clipboard', async (t) => {
  const page = await newPage(t, browser, server.origin, { permissions: ['clipboard-read', 'clipboard-write'] });
  await page.goto(server.origin);
  await hasText(page, '#state', 'connected');
  await page.locator('article', { has: page.locator('#snippet-emit') }).getByRole('button').click();
  await hasText(page, 'article button', 'Copied');
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await page.textContent('#snippet-emit'));
  await page.click('#copy-log');
  await hasText(page, '#copy-log', 'Copied');
  const log = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(log, /^[\d:.]+ <- polling open 0\{"sid":"[\w-]{4}…"/m);
});
