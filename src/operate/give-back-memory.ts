// Operate: memory that is not needed any more; promises that it goes back, at moments that cost little.

// Nothing of this happens where Node.js was started without `--expose-gc`; the command starts servers with it.

const LOOK_INTERVAL_MS = 5_000
/** Parts of the time in which the thread ran: above the one it worked, below the other it can be spared for some 50 milliseconds. */
const BUSY = 0.2
const IDLE = 0.05

/**
 * Gives back what starting took, and later what each time of work took, once it is over. V8 does so only when it needs memory itself.
 */
export function giveBackWhenIdle(intervalMs = LOOK_INTERVAL_MS): void {
  let wasBusy = true
  let before = performance.eventLoopUtilization()
  const look = () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, before)
    before = now
    if (utilization > BUSY) wasBusy = true
    if (!wasBusy || utilization > IDLE) return
    wasBusy = false
    globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  }
  setInterval(look, intervalMs).unref()
}

/** Collects what was made a moment ago and is not held any more: some milliseconds at the most. */
export function collectShortLived(): void {
  globalThis.gc?.({ type: 'minor', execution: 'sync' })
}
