// The "Try it from a terminal" snippets, taken from the page and run as they are.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { hears, join, launchBrowser, openPlayground, startServer } from './support.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
/** What a shell or a program could take for its own. */
const ROOM = `it's "$HOME" \\ ü`;

let browser;
let server;

before(async () => {
  [browser, server] = await Promise.all([launchBrowser(), startServer()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Starts `command` with `input` on its stdin: where the snippet's modules are found. */
function start(t, command, args, input) {
  const child = spawn(command, args, { cwd: HERE, stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  child.stdin.end(input);
  return child;
}

async function output(child) {
  const [chunks] = await Promise.all([child.stdout.toArray(), once(child, 'exit')]);
  return Buffer.concat(chunks).toString();
}

test('curl emits into the room that is looked at', async (t) => {
  const page = await openPlayground(t, browser, server.origin);
  await join(page, ROOM);
  const answer = await output(start(t, 'sh', [], await page.textContent('#snippet-emit')));
  assert.equal(JSON.parse(answer).sockets, 1);
  await hears(page, 'hello');
});

test('curl speaks the protocol by hand', async (t) => {
  const page = await openPlayground(t, browser, server.origin);
  const lines = (await output(start(t, 'sh', [], await page.textContent('#snippet-polling')))).split('\n');
  assert.match(lines[0], /^0\{"sid":/);
  assert.equal(lines[1], 'ok');
  assert.match(lines[2], /^40\{"sid":/);
});

test('the JavaScript snippet joins and speaks', async (t) => {
  const page = await openPlayground(t, browser, server.origin);
  await join(page, ROOM);
  start(t, process.execPath, ['--input-type=module', '-'], await page.textContent('#snippet-javascript'));
  await hears(page, 'hello from JavaScript');
});
