// Recover: the numbers of events that a new log takes over from an old one; promises the same order, and no number for what was dropped.

/** Old and new numbers. Events below the point keep theirs; of the later ones those that are carried follow without a gap. */
export class Numbering {
  readonly #point: number
  /** The old numbers of events that are carried, ascending. */
  readonly #carried: number[] = []

  /** @param point the number of the first event that is dropped or carried */
  constructor(point: number) {
    this.#point = point
  }

  /** The number that the next event of the new log gets. */
  get next(): number {
    return this.#point + this.#carried.length
  }

  /** Carries an event, of a higher number than the one before. @returns its new number */
  carry(seq: number): number {
    this.#carried.push(seq)
    return this.next - 1
  }

  /** The new number of an event; undefined of one that was dropped. */
  of(seq: number): number | undefined {
    const number = this.below(seq)
    return seq < this.#point || this.#carried[number - this.#point] === seq ? number : undefined
  }

  /** How many events of the new log are, in the old one, below a number. */
  below(seq: number): number {
    if (seq <= this.#point) return seq
    let [low, high] = [0, this.#carried.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#carried[middle] as number) < seq) low = middle + 1
      else high = middle
    }
    return this.#point + low
  }
}
