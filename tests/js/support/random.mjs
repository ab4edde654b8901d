// Numbers that look random and come again for the same seed.

/** The seed of this run: `SEED`, or a new one. */
export const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))

export class Random {
  #state

  constructor(seed) {
    this.#state = seed | 0
  }

  /** From 0 to below 1 (mulberry32). */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from `low` to below `high`. */
  whole(low, high) {
    return low + Math.floor(this.next() * (high - low))
  }

  /** True as often as `share` of the times. */
  chance(share) {
    return this.next() < share
  }
}
