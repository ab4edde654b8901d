// Any event with any arguments, sent by hand, and a list of the events that are not the chat's.

import { appendBounded, create, find } from './dom.js';
import { duration, show, time } from './format.js';

const RECEIVED = 50;
const ATTACHMENT_BYTES = 16;

/** Names the protocol's clients and servers use for their own; nobody may emit them. */
const RESERVED = new Set(['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener']);

export class Events {
  #socket;
  #attachments = [];

  constructor(socket) {
    this.#socket = socket;
    find('event-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    find('attach').addEventListener('click', () => {
      this.#attachments.push(crypto.getRandomValues(new Uint8Array(ATTACHMENT_BYTES)));
      this.#showAttachments();
    });
  }

  state(state) {
    find('emit').disabled = state !== 'connected';
  }

  /** Adds an event to the list. */
  received(name, args) {
    find('no-events').hidden = true;
    appendBounded(find('received'), create('li', {},
      create('time', {}, time(new Date())), ' ', create('b', {}, name), ' ', create('code', {}, show(args))), RECEIVED);
  }

  #submit() {
    this.#report('', '');
    try {
      const name = readName(find('event').value);
      const args = [...readArguments(find('arguments').value), ...this.#attachments];
      if (find('want-ack').checked) this.#request(name, args);
      else this.#emit(name, args);
    } catch (error) {
      this.#report('', error.message);
    }
  }

  #emit(name, args) {
    this.#socket.emit(name, args);
    this.#report('Emitted; no ack was asked for.', '');
  }

  #request(name, args) {
    this.#report('Emitted; waiting for the ack …', '');
    this.#socket.request(name, args, (error, answer, milliseconds) => {
      if (error) this.#report('', error.message);
      else find('event-result').replaceChildren(`Ack after ${duration(milliseconds)}: `, create('code', {}, show(answer)));
    });
  }

  #report(result, error) {
    find('event-result').textContent = result;
    find('event-error').textContent = error;
  }

  #showAttachments() {
    find('attachments').replaceChildren(...this.#attachments.map((bytes, index) => {
      const remove = create('button', { type: 'button', className: 'chip', title: 'Remove' }, `${show(bytes)} ×`);
      remove.addEventListener('click', () => {
        this.#attachments.splice(index, 1);
        this.#showAttachments();
      });
      return remove;
    }));
  }
}

function readName(text) {
  if (RESERVED.has(text)) throw new Error(`“${text}” is reserved: the protocol uses it itself.`);
  return text;
}

function readArguments(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`The arguments are no JSON: ${error.message}`);
  }
  if (!Array.isArray(value)) throw new Error('The arguments must be a JSON array, such as ["hello", 1]; for none: []');
  return value;
}
