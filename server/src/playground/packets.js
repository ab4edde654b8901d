// Engine.IO v4 payloads and Socket.IO v5 packets, to and from what is on the wire.
// Pure functions: no network, no clock, no page.

/** What joins the packets of one long-polling body. */
const SEPARATOR = '\x1e';

/** Engine.IO packet types: the first character of a packet is the index. */
export const ENGINE_TYPES = ['open', 'close', 'ping', 'pong', 'message', 'upgrade', 'noop'];

/** Socket.IO packet types: the first character of an Engine.IO message is the index. */
export const SOCKET_TYPES = [
  'CONNECT', 'DISCONNECT', 'EVENT', 'ACK', 'CONNECT_ERROR', 'BINARY_EVENT', 'BINARY_ACK',
];

/** Type, attachment count, namespace, ack id, JSON: all but the first are optional. */
const HEADER = /^([0-6])(?:(\d+)-)?(?:(\/[^,]*)(?:,|$))?(\d+)?(.*)$/s;

/** One polling body -> its packets, in order: strings, or bytes for a binary message. */
export function decodePayload(body) {
  return body.split(SEPARATOR).map((packet) => (packet.startsWith('b') ? fromBase64(packet.slice(1)) : packet));
}

/** The opposite: packets -> one polling body. */
export function encodePayload(packets) {
  return packets.map(pollingText).join(SEPARATOR);
}

/** A packet as long polling carries it: binary as `b` and base64, for a body is text. */
export function pollingText(packet) {
  return typeof packet === 'string' ? packet : `b${toBase64(packet)}`;
}

/**
 * A Socket.IO packet -> the text of an Engine.IO message (without its leading `4`) and the
 * attachments to send behind it. Every Uint8Array within `data` becomes an attachment.
 */
export function encode({ type, namespace = '/', ack, data }) {
  const attachments = [];
  const json = data === undefined ? '' : JSON.stringify(data, (_, value) => (
    value instanceof Uint8Array ? { _placeholder: true, num: attachments.push(value) - 1 } : value
  ));
  const name = attachments.length > 0 ? `BINARY_${type}` : type;
  const count = attachments.length > 0 ? `${attachments.length}-` : '';
  const path = namespace === '/' ? '' : `${namespace},`;
  return { text: `${SOCKET_TYPES.indexOf(name)}${count}${path}${ack ?? ''}${json}`, attachments };
}

/**
 * The text of an Engine.IO message -> `{ type, attachments, namespace, ack, json }`, where
 * `attachments` is how many binary messages follow. Throws if it is no Socket.IO packet.
 */
export function decode(text) {
  const match = HEADER.exec(text);
  if (!match) throw new SyntaxError('not a Socket.IO packet');
  const [, type, attachments, namespace, ack, json] = match;
  return {
    type: SOCKET_TYPES[type],
    attachments: Number(attachments ?? 0),
    namespace: namespace ?? '/',
    ack: ack === undefined ? undefined : Number(ack),
    json,
  };
}

/** A packet's JSON with its attachments back in their places. Throws if it is no JSON. */
export function parse(json, attachments = []) {
  if (json === '') return undefined;
  return JSON.parse(json, (_, value) => (value?._placeholder === true ? attachments[value.num] : value));
}

function toBase64(bytes) {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
