// Values as text for people: bytes, times, sizes, arguments, and packets with their secrets masked.

import { pollingText } from './packets.js';

const encoder = new TextEncoder();

/** `01 02 ff`, at most `limit` bytes of it. */
function hex(bytes, limit = 32) {
  const shown = Array.from(bytes.subarray(0, limit), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return bytes.length > limit ? `${shown} …` : shown;
}

/** Event arguments as JSON; bytes, which JSON lacks, as ‹4 bytes: 01 02 03 04›. */
export function show(value) {
  const json = JSON.stringify(value, (_, inner) => (
    inner instanceof Uint8Array ? `‹${count(inner.length, 'byte')}: ${hex(inner)}›` : inner
  ));
  return json.replace(/"(‹\d+ bytes?: [^"]*›)"/g, '$1');
}

/** What is on the wire: text as it is, binary as base64 by polling and as hex by websocket. */
export function wireText(transport, packet) {
  if (typeof packet === 'string') return mask(packet);
  return transport === 'polling' ? pollingText(packet) : `‹${hex(packet)}›`;
}

/** Bytes on the wire; base64 counts as what it is. */
export function wireSize(transport, packet) {
  if (typeof packet !== 'string' && transport === 'websocket') return packet.length;
  return encoder.encode(pollingText(packet)).length;
}

/** The first characters of a secret, enough to tell two of them apart. */
export function shorten(secret) {
  return `${secret.slice(0, 4)}…`;
}

/** Hides what lets another one speak as this client: logs are copied into bug reports. */
function mask(packet) {
  const secret = packet.startsWith('0') ? 'sid' : packet.startsWith('40') ? 'pid' : null;
  if (secret === null) return packet;
  return packet.replace(new RegExp(`("${secret}":")([^"]*)"`), (_, before, value) => `${before}${shorten(value)}"`);
}

/** `1 member`, `2 members`. */
export function count(number, noun) {
  return `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`;
}

/** `1.2 ms`, `34 ms`, `2.5 s`: as exact as a reader cares. */
export function duration(milliseconds) {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  return `${Number((milliseconds / 1000).toFixed(1))} s`;
}

/** Local time of day; `12:03:04.056` with milliseconds, else `12:03`. */
export function time(date, milliseconds = false) {
  const part = (number, digits = 2) => String(number).padStart(digits, '0');
  const minutes = `${part(date.getHours())}:${part(date.getMinutes())}`;
  return milliseconds ? `${minutes}:${part(date.getSeconds())}.${part(date.getMilliseconds(), 3)}` : minutes;
}
