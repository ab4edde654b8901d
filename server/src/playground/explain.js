// What a packet is, and what it means in plain English. Pure functions.

import { ENGINE_TYPES, decode, parse } from './packets.js';
import { count, duration } from './format.js';

/**
 * A packet's layers: `{ engine, socket, namespace, ack }`. `engine` is an Engine.IO type or
 * `unknown`; the others are there for messages only. Attachments are messages without a header.
 */
export function classify(packet) {
  if (typeof packet !== 'string') return { engine: 'message', socket: 'attachment' };
  const engine = ENGINE_TYPES[packet[0]] ?? 'unknown';
  if (engine !== 'message') return { engine };
  try {
    const { type, namespace, ack } = decode(packet.slice(1));
    return { engine, socket: type, namespace, ack };
  } catch {
    return { engine, socket: 'unknown' };
  }
}

/** One line on what `packet` (text or bytes), `sent` by us or else received, says. */
export function explain(packet, sent) {
  if (typeof packet !== 'string') {
    return `Binary attachment of ${count(packet.length, 'byte')}: it fills a placeholder in the packet before it.`;
  }
  try {
    return (ENGINE[ENGINE_TYPES[packet[0]]] ?? unknown)(packet.slice(1), sent);
  } catch {
    return unknown();
  }
}

function unknown() {
  return 'No packet of this protocol.';
}

const ENGINE = {
  open(data) {
    const { upgrades, pingInterval } = JSON.parse(data);
    const offer = upgrades.length > 0 ? `offers an upgrade to ${upgrades.join(', ')}` : 'offers no upgrade';
    return `Handshake: the server opens a session, ${offer} and will ping every ${duration(pingInterval)}.`;
  },
  close: (_, sent) => (sent ? 'We close the session.' : 'The server closes the session.'),
  ping(data, sent) {
    if (data === 'probe') return 'Probe: does the websocket carry packets? The session still goes by polling.';
    return sent ? 'A ping from a client: wrong way round in this revision.' : 'Heartbeat: the server asks whether we are still here.';
  },
  pong(data) {
    return data === 'probe' ? 'Probe answered: the websocket works.' : 'Heartbeat answered: still here.';
  },
  message: (data, sent) => explainMessage(data, sent),
  upgrade: () => 'Upgrade: from here on everything goes over the websocket.',
  noop: () => 'Nothing to say: it ends the waiting poll request, so that polling can stop.',
};

function explainMessage(text, sent) {
  const { type, attachments, namespace, ack, json } = decode(text);
  const data = parse(json);
  const follow = attachments > 0 ? `; ${count(attachments, 'attachment')} will follow` : '';
  switch (type) {
    case 'CONNECT':
      return sent
        ? `We ask to enter the namespace ${namespace}.`
        : `Welcome to the namespace ${namespace}: there, our socket id is ${data.sid}.`;
    case 'DISCONNECT':
      return `${sent ? 'We leave' : 'The server puts us out of'} the namespace ${namespace}.`;
    case 'CONNECT_ERROR':
      return `The namespace ${namespace} refuses us: ${data?.message ?? 'no reason given'}.`;
    case 'EVENT':
    case 'BINARY_EVENT': {
      const [name, ...args] = data;
      const wish = ack === undefined ? '' : `; wants an ack with id ${ack}`;
      return `Event “${name}” with ${count(args.length, 'argument')}${wish}${follow}.`;
    }
    default:
      return `The answer to the event with ack id ${ack}: ${count(data.length, 'argument')}${follow}.`;
  }
}
