// Sequences of messages as clients send them, and as nobody should: text packets with every odd spelling that a
// parser may trip over, attachments behind them, and damages to all of this.

const texts = [
  '',
  'a',
  'hello',
  'é',
  '\u{1f600}',
  '\u2028',
  '\\n',
  '\\u00e9',
  '\\ud83d\\ude00',
  '\\u0000',
  '\\"',
  '\\/',
  '[',
  '{',
  ',',
  '_placeholder',
  '\\u005fplaceholder',
  'toString',
  '__proto__',
  'x'.repeat(300),
]
const rareTexts = ['\\ud800', '\\udc00x', '\\x', '\u0001', '\\u12', 'x'.repeat(1025)]
const names = ['message', 'a', '', 'connection', 'error', 'é', '__proto__', 'a\\u0062', '\\u0063onnect']
const reservedNames = [
  'connect',
  'connect_error',
  'disconnect',
  'disconnecting',
  'newListener',
  'removeListener',
]
const numbers = ['0', '1', '-1', '1.5', '1e3', '1E-2', '-0', '123456789', '9007199254740993', '0.1']
const rareNumbers = [
  '1e999',
  '-1e999',
  '1e-999',
  '123456789012345678901234567890',
  '01',
  '+1',
  '.5',
  '1.',
  '0x1',
  'NaN',
  'Infinity',
  '-',
  '1'.repeat(513),
]
const placeholderNumbers = ['0', '0', '0', '1', '1', '2', '9']
const rarePlaceholderNumbers = ['10', '-1', '0.5', '0.0', '-0', '1e0', '"0"', 'null', '1e400', '"splice"', '[]']
const namespaces = ['', '', '', '/,', '/a,', '/b,', '/admin/x,', '/é,', '/__proto__,', '//,']
const rareNamespaces = ['/', '/a', '/a?b=c,', '/a?,', `/${'x'.repeat(254)},`, `/${'x'.repeat(255)},`, '/[],', '/ ,']
const ids = ['', '', '', '0', '1', '7', '12', '0007', '9007199254740991']
const rareIds = ['9007199254740992', '1'.repeat(22), '1'.repeat(400), '-1', '1.5', '+1', ' ', '1 ', '\n', '1e3', '\u00a0']
const counts = ['', '0', '01', '1', '2', '3', '9', '10', '11', '1e1', '0x1', ' 1', '1.5', 'a', '-1', '1'.repeat(22), '+1']
const characters = '0123456789[]{}",:-/\\ \t\n.eE+_?truefalsn\u00e9\u{1f600}\u2028\u00a0\u0000'

/** Draws sequences; the same ones for the same random numbers. */
export class Packets {
  #random

  constructor(random) {
    this.#random = random
  }

  /** The messages of one client: strings, and arrays of bytes. */
  next() {
    const messages = []
    const packets = this.#random.chance(0.2) ? 3 : 1
    for (let at = 0; at < packets; at++) messages.push(...this.#packet())
    while (this.#random.chance(0.35)) this.#damage(messages)
    return messages
  }

  #of(list) {
    return list[this.#random.whole(0, list.length)]
  }

  /** One of the usual, now and then one of the rare. */
  #one(usual, rare) {
    return this.#of(this.#random.chance(0.04) ? rare : usual)
  }

  #packet() {
    const type = this.#random.chance(0.02) ? this.#of(['4', '7', '8', '9', 'a', '', ' ']) : this.#of('001222223335556')
    const isBinary = type === '5' || type === '6'
    const attachments = isBinary ? this.#random.whole(1, 4) : 0
    const usual = isBinary ? `${attachments}-` : ''
    const count = this.#random.chance(0.03) ? this.#of(counts) + this.#of(['-', '-', '']) : usual
    const id = type === '0' || type === '1' ? this.#one([''], ids) : this.#one(ids, rareIds)
    const text = type + count + this.#one(namespaces, rareNamespaces) + id + this.#payload(type, attachments)
    return [text, ...Array.from({ length: attachments }, () => this.#binary())]
  }

  #payload(type, attachments) {
    if (this.#random.chance(0.03)) return this.#of(['', '[]', '{}', 'null', 'true', '"x"', '1', '[', '{', ' []', '[] '])
    if (type === '0') return this.#of(['', this.#object(2, 0)])
    if (type === '1') return ''
    const items = this.#items(2, attachments)
    if (type === '2' || type === '5') items.unshift(this.#name())
    return `[${items.join(this.#comma())}]`
  }

  #comma() {
    return this.#one([','], [' , ', ',\n', ',,', ';', ''])
  }

  #name() {
    if (this.#random.chance(0.08)) return this.#one(numbers, rareNumbers)
    if (this.#random.chance(0.03)) return this.#of(['null', 'true', '[]', '{}', '["a"]'])
    if (this.#random.chance(0.03)) return `"${this.#one(reservedNames, rareTexts)}"`
    return `"${this.#of(names)}"`
  }

  #items(depth, attachments) {
    return Array.from({ length: this.#random.whole(0, 4) }, () => this.#value(depth, attachments))
  }

  #value(depth, attachments) {
    if (attachments > 0 && this.#random.chance(0.3)) return this.#placeholder()
    if (this.#random.chance(0.01)) return this.#placeholder()
    const kind = this.#random.whole(0, depth > 0 ? 8 : 5)
    if (kind < 2) return `"${this.#one(texts, rareTexts)}"`
    if (kind < 4) return this.#one(numbers, rareNumbers)
    if (kind < 5) return this.#one(['null', 'true', 'false'], ['nul', 'True', 'undefined', ''])
    if (kind < 6) return this.#object(depth - 1, attachments)
    return `[${this.#items(depth - 1, attachments).join(this.#comma())}]`
  }

  #object(depth, attachments) {
    const entry = () => `"${this.#one(texts, rareTexts)}":${this.#value(depth, attachments)}`
    return `{${Array.from({ length: this.#random.whole(0, 4) }, entry).join(this.#comma())}}`
  }

  #placeholder() {
    const number = this.#one(placeholderNumbers, rarePlaceholderNumbers)
    const usual = [`{"_placeholder":true,"num":${number}}`, `{"num":${number},"_placeholder":true}`]
    const rare = [
      `{"_placeholder":false,"num":${number}}`,
      `{"_placeholder":1,"num":${number}}`,
      '{"_placeholder":true}',
      `{"_placeholder":true,"num":${number},"num":0}`,
      `{"_placeholder":true,"num":${number},"_placeholder":false}`,
      `{"_placeholder":true,"num":${number},"x":{"_placeholder":true,"num":7}}`,
      `{ "_placeholder" : true , "num" : ${number} }`,
    ]
    return this.#one(usual, rare)
  }

  #binary() {
    return Array.from({ length: this.#random.whole(0, 4) }, () => this.#random.whole(0, 256))
  }

  /** Changes a character of a text, or the order or number of messages. */
  #damage(messages) {
    const at = this.#random.whole(0, messages.length)
    const message = messages[at]
    if (messages.length === 0 || this.#random.chance(0.15)) {
      messages.splice(at, this.#random.whole(0, 2), ...this.#of([[], [this.#binary()], ['2["a"]'], this.#packet()]))
    } else if (typeof message === 'string') {
      const letters = [...message]
      const place = this.#random.whole(0, Math.min(letters.length, this.#of([4, 40, 4000])) + 1)
      const put = this.#of([[], [this.#of([...characters])], letters.slice(place, place + 5)])
      letters.splice(place, this.#random.whole(0, 3), ...put)
      messages[at] = letters.join('')
    }
  }
}
