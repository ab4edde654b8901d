// The packet log: one row for each packet that passed, with its layers, its text and its meaning.

import { appendBounded, copy, create, find } from './dom.js';
import { classify, explain } from './explain.js';
import { count, time, wireSize, wireText } from './format.js';

/** Rows kept. At 25 s between pings, an idle tab fills them in half a day. */
const ROWS = 1000;

/** Characters of a packet shown before it is tapped: about two lines. */
const CUT = 160;

export class Log {
  /** What the rows show, oldest first. */
  #entries = [];
  /** What came while paused. */
  #held = [];
  #paused = false;

  constructor() {
    find('search').addEventListener('input', () => this.#filter());
    find('hide-heartbeat').addEventListener('change', () => this.#filter());
    find('pause').addEventListener('click', () => this.#pause());
    find('clear').addEventListener('click', () => this.#clear());
    find('copy-log').addEventListener('click', ({ target }) => copy(this.#text(), target));
    this.#count();
  }

  /** A packet passed: text or bytes, `sent` or received, by which transport. */
  packet({ sent, transport, packet, part }) {
    this.#add({
      at: new Date(),
      sent,
      transport,
      part,
      ...classify(packet),
      raw: wireText(transport, packet),
      size: wireSize(transport, packet),
      meaning: explain(packet, sent),
      heartbeat: packet === '2' || packet === '3',
    });
  }

  /** Something that is no packet but explains those around it. */
  note(meaning) {
    this.#add({ at: new Date(), meaning });
  }

  #add(entry) {
    if (this.#paused) {
      this.#held.push(entry);
      if (this.#held.length > ROWS) this.#held.shift();
    } else {
      this.#show(entry);
    }
    this.#count();
  }

  #show(entry) {
    entry.row = render(entry);
    entry.row.hidden = !this.#matches(entry);
    this.#entries.push(entry);
    if (this.#entries.length > ROWS) this.#entries.shift();
    appendBounded(find('packets'), entry.row, ROWS);
  }

  #matches(entry) {
    if (entry.heartbeat && find('hide-heartbeat').checked) return false;
    const wanted = find('search').value.trim().toLowerCase();
    return line(entry).toLowerCase().includes(wanted);
  }

  #filter() {
    for (const entry of this.#entries) entry.row.hidden = !this.#matches(entry);
    const list = find('packets');
    list.scrollTop = list.scrollHeight;
    this.#count();
  }

  #pause() {
    this.#paused = !this.#paused;
    const button = find('pause');
    button.setAttribute('aria-pressed', this.#paused);
    for (const entry of this.#held.splice(0)) this.#show(entry);
    this.#count();
  }

  #clear() {
    this.#entries = [];
    this.#held = [];
    find('packets').replaceChildren();
    this.#count();
  }

  #count() {
    const hidden = this.#entries.filter(({ row }) => row.hidden).length;
    const parts = [count(this.#entries.length, 'row')];
    if (hidden > 0) parts.push(`${hidden} hidden`);
    if (this.#paused) parts.push(`${this.#held.length} waiting`);
    find('log-count').textContent = parts.join(', ');
  }

  #text() {
    return this.#entries.filter(({ row }) => !row.hidden).map(line).join('\n');
  }
}

/** An entry as one line of text: what is copied, and what is searched. */
function line({ at, sent, transport, engine, socket, raw, meaning }) {
  if (raw === undefined) return `${time(at, true)} -- ${meaning}`;
  return [time(at, true), sent ? '->' : '<-', transport, engine, socket ?? '', raw, `(${meaning})`].filter(Boolean).join(' ');
}

function render(entry) {
  const { at, sent, transport, part, engine, socket, namespace, ack, raw, size, meaning } = entry;
  const when = create('time', { dateTime: at.toISOString() }, time(at, true));
  if (raw === undefined) return create('li', { className: 'note' }, create('p', { className: 'meaning' }, meaning), create('p', { className: 'facts' }, when));
  const badges = create('p', { className: 'badges' }, badge(transport, 'transport'), badge(engine, `engine-${engine}`));
  if (socket) badges.append(badge(socket, `socket-${socket}`));
  if (namespace) badges.append(badge(namespace, 'namespace', 'namespace '));
  if (ack !== undefined) badges.append(badge(`ack ${ack}`, 'ack'));
  const facts = create('p', { className: 'facts' }, part ? `${part} · ` : '', `${count(size, 'byte')} · `, when);
  const arrow = create('span', { className: 'arrow', ariaHidden: 'true' }, sent ? '↑' : '↓');
  const direction = create('span', { className: 'unseen' }, sent ? 'sent ' : 'received ');
  const row = create('li', { className: sent ? 'sent' : 'received' },
    arrow, direction, badges, facts, rawText(raw), create('p', { className: 'meaning' }, meaning));
  row.dataset.raw = raw;
  return row;
}

function badge(text, kind, prefix = '') {
  const element = create('span', { className: `badge ${kind}` });
  if (prefix) element.append(create('span', { className: 'unseen' }, prefix));
  element.append(text);
  return element;
}

/** Short text as it is; long text cut, in a button that shows the rest. */
function rawText(raw) {
  if (raw.length <= CUT) return create('code', { className: 'raw' }, raw);
  const code = create('code', {}, raw.slice(0, CUT));
  const more = create('span', { className: 'more' });
  const button = create('button', { type: 'button', className: 'raw quiet' }, code, more);
  const show = (whole) => {
    code.textContent = whole ? raw : `${raw.slice(0, CUT)} …`;
    more.textContent = whole ? 'show less' : `show all ${count(raw.length, 'character')}`;
    button.setAttribute('aria-expanded', whole);
  };
  button.addEventListener('click', () => show(button.getAttribute('aria-expanded') !== 'true'));
  show(false);
  return button;
}
