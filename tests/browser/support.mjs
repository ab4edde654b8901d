// What every browser test needs: the server under test, a browser, and pages that tell on errors.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const BINARY = process.env.SERVER_BINARY ?? fileURLToPath(new URL('../../target/debug/socketio-server', import.meta.url));
const CLIENT = fileURLToPath(new URL('node_modules/socket.io-client/dist', import.meta.url));
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

/** Longer than anything here takes, also on a busy machine. */
const TIMEOUT = 60_000;

/** The server under test, listening: the Rust binary, or with SERVER=reference the one in Node. */
export async function startServer(port = 0) {
  const child = process.env.SERVER === 'reference'
    ? spawn(process.execPath, ['reference.mjs'], { cwd: HERE, env: { ...process.env, PORT: port } })
    : spawn(BINARY, ['--listen', `127.0.0.1:${port}`, '--serve-client', CLIENT]);
  const exit = once(child, 'exit');
  const origin = `http://127.0.0.1:${await listeningPort(child)}`;
  return {
    origin,
    port: Number(new URL(origin).port),
    async stop() {
      child.kill('SIGTERM');
      const last = setTimeout(() => child.kill('SIGKILL'), TIMEOUT);
      await exit;
      clearTimeout(last);
    },
  };
}

function listeningPort(child) {
  return new Promise((resolve, reject) => {
    const lines = [];
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line);
        const match = /listening on (?:http:\/\/)?127\.0\.0\.1:(\d+)/.exec(line);
        if (match) resolve(match[1]);
      });
    }
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`the server ended with ${code}:\n${lines.join('\n')}`)));
  });
}

export function launchBrowser() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
}

/**
 * A page in a browser context of its own, which ends with the test; the test fails if the page had
 * an error or spoke to another origin. `expected`: console errors that belong to the test.
 */
export async function newPage(t, browser, origin, { expected = /^$/, ...options } = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT);
  const errors = [];
  const strangers = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !expected.test(message.text())) errors.push(message.text());
  });
  page.on('pageerror', (error) => errors.push(error.stack));
  const look = (url) => {
    if (!url.startsWith('data:') && new URL(url).host !== new URL(origin).host) strangers.push(url);
  };
  page.on('request', (request) => look(request.url()));
  page.on('websocket', (websocket) => look(websocket.url()));
  t.after(async () => {
    await context.close();
    assert.deepEqual(errors, [], 'the console must stay clean');
    assert.deepEqual(strangers, [], 'no request may leave the origin');
  });
  return page;
}

/** The playground in a new page, connected; by default with the upgrade to websocket done. */
export async function openPlayground(t, browser, origin, options = {}) {
  const page = await newPage(t, browser, origin, options);
  await page.goto(origin);
  await connectedBy(page, 'websocket');
  return page;
}

/** Waits until the playground is connected and carried by `transport`. */
export async function connectedBy(page, transport) {
  await hasText(page, '#state', 'connected');
  await page.locator(`#step-${transport}[aria-current=step]`).waitFor();
}

/** Waits until an element visible under `selector` has exactly this text, or matches it. */
export async function hasText(page, selector, text) {
  const exactly = typeof text === 'string' ? new RegExp(`^\\s*${escape(text)}\\s*$`) : text;
  await page.locator(selector).filter({ hasText: exactly, visible: true }).first().waitFor();
}

function escape(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** Waits for a row of the packet log that was `sent` or `received` and begins with `raw`. */
export async function packet(page, direction, raw) {
  await page.locator(`#packets li.${direction}[data-raw^=${JSON.stringify(raw)}]`).first().waitFor({ state: 'attached' });
}

/** Every row of the packet log, oldest first: `{ sent, transport, raw, text }`. */
export function packets(page) {
  return page.locator('#packets li[data-raw]').evaluateAll((rows) => rows.map((row) => ({
    sent: row.classList.contains('sent'),
    transport: row.querySelector('.transport').textContent,
    raw: row.dataset.raw,
    text: row.innerText,
  })));
}

/** Joins a room by keyboard and waits until it is there. */
export async function join(page, room) {
  await page.fill('#room', room);
  await page.press('#room', 'Enter');
  await page.locator('#rooms [aria-pressed=true]').filter({ hasText: room }).waitFor();
  await hasText(page, '#members', /^[1-9]/);
}

export async function say(page, text) {
  await page.fill('#text', text);
  await page.press('#text', 'Enter');
}

/** Waits until `text` is among the messages of the room that is shown. */
export async function hears(page, text) {
  await hasText(page, '.message .text', text);
}

/** `POST /api/v1/emit` -> the number of sockets reached. */
export async function emit(origin, body) {
  const response = await fetch(`${origin}/api/v1/emit`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  assert.equal(response.status, 200);
  return (await response.json()).sockets;
}
