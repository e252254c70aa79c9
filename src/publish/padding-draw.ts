// Publish: how many padding devices a family needs; promises one distribution for all of them, whichever stream is short.

import { publishes, type FilteredReport } from './families.ts'
import type { DeviceChoice, DeviceSource, PaddingDevice } from './padding-device.ts'
import type { StreamNeed } from './padding-needs.ts'
import { below, type RandomSource } from './padding-random.ts'

/**
 * How many times the minimum is drawn at the most from what all streams of a family have in common. A stream with less than a
 * fiftieth of the family's keys gets the rest from its own: whoever compares it with another learns that keys in it are a
 * little likelier to be padding, where next to all keys of both are.
 */
export const MOST_JOINT_MINIMA = 50

/** Up to this part of the minimum, and of the devices, is drawn beyond need: a file of exactly the minimum would say that it was padded. */
const SURPLUS = 0.05

/**
 * Draws the devices with which no stream of a family is short of keys any more.
 *
 * Every one is drawn from the whole family's distribution, and all streams get those that are theirs: so a key's being in one
 * stream and not in another tells nothing of whether it is padding.
 *
 * @param source what is drawn from
 * @param isAllowed for which reports there may be padding
 * @param end of the window, unix seconds: keys that become available later don't count for it
 * @param minimum the family's
 */
export function drawPadding(
  needs: readonly StreamNeed[],
  source: DeviceSource,
  isAllowed: (report: FilteredReport) => boolean,
  end: number,
  minimum: number,
  random: RandomSource,
): PaddingDevice[] {
  const choice = source.select(isAllowed)
  if (choice === undefined) return []
  const open = needs.map(({ stream, isPublishing, hasKeys, wanted, has }) => {
    const own = source.select((report) => isAllowed(report) && publishes(stream, report))
    // One that was short of nothing stays as it is, until others' devices come to it.
    const target = has < wanted ? wanted + below(Math.ceil(wanted * SURPLUS), random) : wanted
    return { stream, isPublishing, hasKeys, target, has, own }
  })
  const devices: PaddingDevice[] = []
  let keys = 0
  const add = ({ draw }: DeviceChoice) => {
    const device = draw()
    const ready = device.available.filter((available) => available < end).length
    for (const each of open) {
      if (!publishes(each.stream, device.report)) continue
      each.has += ready
      each.hasKeys ||= ready > 0
    }
    devices.push(device)
    keys += ready
    return ready
  }
  const isShort = (each: (typeof open)[number]) =>
    each.isPublishing && each.hasKeys && each.has < each.target
  const most = minimum * MOST_JOINT_MINIMA
  // What all have in common leads to no stream of which no report is known.
  while (open.some((each) => isShort(each) && (each.own?.share ?? 0) > 0)) {
    if (keys >= most || devices.length >= most) break
    add(choice)
  }
  for (const each of open)
    for (let idle = 0; isShort(each) && each.own !== undefined && idle < MOST_IDLE; idle++)
      if (add(each.own) > 0) idle = 0
  for (let more = below(Math.ceil(devices.length * SURPLUS) + 1, random); more > 0; more--)
    add(choice)
  return devices
}

/** So many devices in a row without a key that is ready before the window ends. */
const MOST_IDLE = 1_000
