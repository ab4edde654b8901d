// The official client at server/python/examples/flask_tasks.py, wherever it is served: node bridge.mjs ORIGIN.
// What it hears, its acks, refusals and reasons are one line of JSON, which tests/bridge compares.

import { once } from "node:events";

import { io } from "socket.io-client";

const [origin] = process.argv.slice(2);

const binaryAsText = (key, value) => (value?.type === "Buffer" ? `binary ${Buffer.from(value.data).toString("base64")}` : value);

async function logIn(user) {
  const answer = await fetch(`${origin}/login`, { method: "POST", body: new URLSearchParams({ user }), redirect: "manual" });
  return answer.headers.getSetCookie()[0].split(";")[0];
}

function open(path, cookie, options = {}) {
  const extraHeaders = cookie ? { Cookie: cookie } : {};
  const socket = io(origin + path, { forceNew: true, reconnection: false, extraHeaders, auth: { version: 2 }, ...options });
  const heard = [];
  socket.onAny((event, ...args) => {
    if (args[0]?.user !== "witness") heard.push([event, ...args.filter((arg) => typeof arg !== "function")]);
  });
  socket.on("confirm", (question, answer) => answer("yes"));
  return { socket, heard };
}

const refusal = async (socket) => {
  const [error] = await once(socket, "connect_error");
  socket.disconnect();
  return { message: error.message, data: error.data };
};

// It is there all the time, and nobody hears of it, and told when another one has gone: then the next scene may begin.
const witness = open("/", await logIn("witness")).socket;
await once(witness, "welcome");

async function play(transports) {
  const cookie = await logIn("ann");
  const { socket, heard } = open("/", cookie, { transports });
  await once(socket, "welcome");
  const acks = [];
  const ask = async (...args) => acks.push(await socket.timeout(10_000).emitWithAck(...args));
  await ask("join", "é🎉");
  await ask("say", "é🎉", "hello");
  await ask("attach", "é🎉", "a.bin", Buffer.from([0, 255]));
  await ask("say", "é🎉", "");
  const done = once(socket, "done");
  await ask("start", "paint", 0.3);
  await done;
  const cleared = once(socket, "cleared");
  socket.emit("clear");
  await cleared;
  const left = once(socket, "disconnect");
  const told = once(witness, "went");
  socket.emit("quit");
  const [reason] = await left;
  const [gone] = await told;
  return { heard, acks, reason, gone };
}

const scenes = {
  polling: await play(["polling"]),
  upgrade: await play(["polling", "websocket"]),
  websocket: await play(["websocket"]),
  nobody: await refusal(open("/", undefined).socket),
  old: await refusal(open("/", await logIn("ann"), { auth: { version: 1 } }).socket),
  admins: await refusal(open("/admin", await logIn("ann")).socket),
};
witness.disconnect();
console.log(JSON.stringify(scenes, binaryAsText));
