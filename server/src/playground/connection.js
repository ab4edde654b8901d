// The top of the page: connect and disconnect, what state the connection is in, which transport
// carries it, and the panel with the handshake.

import { find } from './dom.js';
import { count, duration, shorten } from './format.js';

export class Connection {
  #socket;

  constructor(socket) {
    this.#socket = socket;
    find('connection').addEventListener('submit', (event) => {
      event.preventDefault();
      this.connect();
    });
    find('disconnect').addEventListener('click', () => socket.disconnect());
    find('transports').addEventListener('change', () => {
      socket.disconnect();
      this.connect();
    });
    // Every ack reports its round trip; there is nothing else to do with this one.
    find('measure').addEventListener('click', () => socket.request('echo', [], () => {}));
  }

  connect() {
    this.#socket.connect(this.#choice);
  }

  get #choice() {
    return find('transports').value;
  }

  state(state, detail, delay) {
    const wait = delay === undefined ? '' : `; next attempt in ${duration(delay)}`;
    find('state').textContent = state;
    find('detail').textContent = detail + wait;
    find('dot').dataset.state = state;
    find('connect').disabled = state === 'connecting' || state === 'connected';
    find('connect').textContent = state === 'waiting' ? 'Connect now' : 'Connect';
    find('disconnect').disabled = state === 'disconnected';
    find('measure').disabled = state !== 'connected';
    if (state === 'connected') return;
    find('socket-id').textContent = '–';
    find('round-trip').textContent = '–';
    if (state !== 'connecting') this.#show(null);
  }

  connected(id) {
    find('socket-id').textContent = id;
  }

  /** The transport that carries packets from now on. */
  transport(name) {
    this.#show(name);
  }

  /** A transport is tried beside the present one; null: it was given up. */
  probe(name) {
    find('step-websocket').classList.toggle('probing', name === 'websocket');
  }

  roundTrip(milliseconds) {
    find('round-trip').textContent = duration(milliseconds);
  }

  handshake({ sid, upgrades, pingInterval, pingTimeout, maxPayload }) {
    find('handshake-sid').textContent = shorten(sid);
    find('handshake-upgrades').textContent = upgrades.join(', ') || 'none';
    find('handshake-interval').textContent = duration(pingInterval);
    find('handshake-timeout').textContent = duration(pingTimeout);
    find('handshake-payload').textContent = count(maxPayload, 'byte');
  }

  #show(current) {
    const choice = this.#choice;
    for (const name of ['polling', 'websocket']) {
      const step = find(`step-${name}`);
      step.hidden = choice !== 'upgrade' && choice !== name;
      step.classList.remove('probing');
      step.classList.toggle('done', choice === 'upgrade' && name === 'polling' && current === 'websocket');
      if (name === current) step.setAttribute('aria-current', 'step');
      else step.removeAttribute('aria-current');
    }
    find('step-arrow').hidden = choice !== 'upgrade';
  }
}
