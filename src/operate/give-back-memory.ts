// Operate: memory of a thread that has nothing to do any more; promises that it goes back to the system, and not while there is work that would wait for that.

const LOOK_INTERVAL_MS = 5_000
/** Parts of the time in which the thread ran: above the one it worked, below the other it can be spared for some 50 milliseconds. */
const BUSY = 0.2
const IDLE = 0.05

/**
 * Gives back what starting took, and later what each time of work took, once it is over. V8 does so only when it needs memory itself.
 *
 * Nothing happens where Node.js was started without `--expose-gc`; the command starts servers with it.
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
