// The chat: rooms one has joined, who comes and goes, what is said. Each room keeps its own list.

import { appendBounded, create, find } from './dom.js';
import { count, time } from './format.js';

const MESSAGES = 200;

export class Chat {
  #socket;
  #id = '';
  /** Room name -> `{ list, chip, members, unread }`. */
  #rooms = new Map();
  #selected = null;
  #onRoom;

  /** `onRoom(name)` hears which room is looked at; null: none. */
  constructor(socket, onRoom) {
    this.#socket = socket;
    this.#onRoom = onRoom;
    this.#onSubmit('join-form', () => this.#enter(find('room').value.trim()));
    this.#onSubmit('say-form', () => this.#say());
    find('leave').addEventListener('click', () => this.#leave(this.#selected));
  }

  /** Connected, perhaps again: the server has forgotten our rooms, so they are joined anew. */
  connected(id) {
    this.#id = id;
    for (const name of this.#rooms.keys()) this.#join(name);
  }

  state(state) {
    const connected = state === 'connected';
    for (const id of ['join', 'leave', 'send']) find(id).disabled = !connected;
    if (connected || this.#id === '') return;
    this.#id = '';
    for (const room of this.#rooms.values()) this.#append(room, this.#notice('The connection is gone.'));
  }

  /** Shows an event if it is one of the chat's and well formed; false if it is not. */
  handle(event, [value]) {
    const room = this.#rooms.get(value?.room);
    if (!room) return false;
    if (event === 'said' && typeof value.from === 'string' && typeof value.text === 'string') {
      this.#hear(value.room, room, value);
      return true;
    }
    if ((event === 'joined' || event === 'left') && typeof value.id === 'string' && Number.isInteger(value.members)) {
      this.#append(room, this.#notice(create('b', {}, nickname(value.id)), ` ${event}`));
      this.#setMembers(value.room, value.members);
      return true;
    }
    return false;
  }

  #onSubmit(form, act) {
    find(form).addEventListener('submit', (event) => {
      event.preventDefault();
      act();
    });
  }

  #enter(name) {
    if (!this.#rooms.has(name)) {
      this.#add(name);
      this.#join(name);
    }
    this.#select(name);
    find('text').focus();
  }

  #join(name) {
    this.#ask('join', [name], (answer) => {
      const room = this.#rooms.get(name);
      if (answer) {
        this.#append(room, this.#notice('You joined as ', create('b', {}, nickname(this.#id)), '.'));
        this.#setMembers(name, answer.members);
      } else if (this.#socket.connected) {
        this.#remove(name);
      }
    });
  }

  #leave(name) {
    this.#ask('leave', [name], (answer) => {
      if (answer) this.#remove(name);
    });
  }

  #say() {
    const field = find('text');
    const text = field.value;
    field.value = '';
    field.focus();
    this.#ask('say', [this.#selected, text], (answer) => {
      // What was not accepted is given back, unless something new was begun.
      if (!answer && field.value === '') field.value = text;
    });
  }

  /** `done` gets the ack's first argument; or null, and the page the reason, if it did not work. */
  #ask(event, args, done) {
    this.#socket.request(event, args, (failure, answer) => {
      const reason = failure?.message ?? answer[0]?.error;
      find('chat-error').textContent = reason ?? '';
      done(reason === undefined ? answer[0] : null);
    });
  }

  #add(name) {
    const list = create('ol', { className: 'messages', tabIndex: 0, hidden: true });
    list.setAttribute('aria-live', 'polite');
    list.setAttribute('aria-label', `Messages in ${name}`);
    const chip = create('button', { type: 'button', className: 'chip' });
    chip.addEventListener('click', () => this.#select(name));
    find('messages').append(list);
    find('rooms').append(chip);
    this.#rooms.set(name, { list, chip, members: 0, unread: 0 });
  }

  #remove(name) {
    const { list, chip } = this.#rooms.get(name);
    list.remove();
    chip.remove();
    this.#rooms.delete(name);
    if (name === this.#selected) this.#select([...this.#rooms.keys()].at(-1) ?? null);
  }

  #select(name) {
    this.#selected = name;
    find('conversation').hidden = name === null;
    find('start').hidden = name !== null;
    for (const [other, room] of this.#rooms) {
      room.list.hidden = other !== name;
      room.chip.setAttribute('aria-pressed', other === name);
      if (other === name) room.unread = 0;
      this.#label(other, room);
    }
    if (name !== null) {
      const { list } = this.#rooms.get(name);
      list.scrollTop = list.scrollHeight;
    }
    this.#onRoom(name);
  }

  #setMembers(name, members) {
    const room = this.#rooms.get(name);
    room.members = members;
    this.#label(name, room);
  }

  #label(name, room) {
    room.chip.replaceChildren(name, ...(room.unread > 0 ? [' ', create('span', { className: 'unread' }, `${room.unread} new`)] : []));
    if (name !== this.#selected) return;
    find('members').textContent = `${count(room.members, 'member')} in ${name}.`;
    find('alone').hidden = room.members !== 1;
  }

  #hear(name, room, { from, text }) {
    const own = from === this.#id;
    this.#append(room, create('li', { className: own ? 'message own' : 'message' },
      create('p', { className: 'from' }, create('b', {}, nickname(from)), own ? ' (you) ' : ' ', create('time', {}, time(new Date()))),
      create('p', { className: 'text', dir: 'auto' }, text)));
    if (name === this.#selected) return;
    room.unread += 1;
    this.#label(name, room);
  }

  #notice(...children) {
    return create('li', { className: 'notice' }, ...children);
  }

  #append(room, item) {
    appendBounded(room.list, item, MESSAGES);
  }
}

/** People need no 20 characters to tell each other apart. */
function nickname(id) {
  return id.slice(0, 6);
}
