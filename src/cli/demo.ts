// Cli: the town, from positive tests to warned phones; promises real keys, real signatures and HTTP, and a truth that the simulation alone computed.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SingleBar } from 'cli-progress'
import { parseConfig } from '../config.ts'
import { TocsinError } from '../errors.ts'
import { textOption, type Command, type CommandContext } from './command.ts'
import { demoKeysFile, readDemoKeys, setUpDemo } from './demo-deployment.ts'
import type { PhoneService } from './phone-client.ts'
import { simulateTown, type Town, type TownOptions } from './town.ts'
import type { TownPhone } from './town-phones.ts'
import { protocolNames, protocolOf, type TownProtocol } from './town-protocols.ts'

/** `tocsin demo` */
export const demoCommand: Command = {
  summary:
    'Lets a made-up town live for some days: phones meet, some test positive and upload, all download, verify and match.',
  usage: 'demo [--phones 500] [--days 5] [--seed 1] [--protocol gaen]',
  options: {
    phones: { type: 'string', help: 'phones in the town; default 500' },
    days: { type: 'string', help: 'days it lives; default 5' },
    seed: { type: 'string', help: 'the same seed gives the same town; default 1' },
    protocol: {
      type: 'string',
      help: `what its phones speak: ${protocolNames().join(', ')}; default gaen`,
    },
  },
  alwaysDocument: true,
  async run(context) {
    const options: TownOptions = {
      phones: numberOption(context, 'phones', 500, 2, 20_000),
      days: numberOption(context, 'days', 5, 1, 30),
      seed: numberOption(context, 'seed', 1, 0, 2 ** 31 - 1),
    }
    const protocol = await protocolOf(textOption(context, 'protocol') ?? 'gaen')
    const begun = performance.now()
    const town = simulateTown(options)
    const folder = await mkdtemp(join(tmpdir(), 'tocsin-demo-'))
    try {
      const lived = await live(context, town, protocol, options, folder)
      const seconds = Number(((performance.now() - begun) / 1000).toFixed(1))
      const summary = judge(town, options, lived, seconds)
      printTown(context, summary, lived, protocol)
      const { missed, wronglyWarned } = summary
      return { document: summary, exitCode: missed + wronglyWarned === 0 ? 0 : 1 }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
}

/** What came of the days. */
interface Lived {
  readonly uploads: number
  readonly keys: number
  readonly files: number
  /** Phones whose own matching found something. */
  readonly warned: ReadonlySet<number>
  readonly warningsByDay: readonly number[]
}

const HOUR_MS = 3_600_000
/** Tests come back in the evening; phones download early, when yesterday's keys have been published. */
const TESTS_AT = 20 * HOUR_MS
const DOWNLOAD_AT = 30 * HOUR_MS
const PERIOD_SECONDS = 4 * 3600

/** Runs a service of the town's own, and moves its clock from evening to morning, day by day. */
async function live(
  context: CommandContext,
  town: Town,
  protocol: TownProtocol,
  { phones: count, days }: TownOptions,
  folder: string,
): Promise<Lived> {
  let time = town.start
  const clock = { now: () => time }
  const config = parseConfig({
    TOCSIN_DATA: folder,
    TOCSIN_PORT: '0',
    TOCSIN_TIME_GRAIN: '15m',
    TOCSIN_LOG_LEVEL: 'error',
    ...protocol.settings,
  })
  await using server = await context.deployment.startServer({
    config,
    clock,
    publisher: 'manual',
    prepare: async (zones) =>
      void (await setUpDemo(config, zones, time, {
        period: PERIOD_SECONDS,
        kind: protocol.kind,
        settings: protocol.streamSettings,
      })),
  })
  const keys = await readDemoKeys(demoKeysFile(config))
  if (keys === undefined) throw new TocsinError('internal_error')
  const service: PhoneService = { url: server.url, ...keys }
  // Puts the public key, which the phones' app is built with.
  await server.publishDue()
  const phones = await protocol.makePhones(count, service)
  const bar = progressBar(context, days)
  const lived = { uploads: 0, keys: 0, files: 0, warned: new Set<number>() }
  const warningsByDay: number[] = []
  for (let day = 0; day < days && !context.signal.aborted; day++) {
    const midnight = town.start.getTime() + day * 24 * HOUR_MS
    protocol.letHear(town, day, phones)
    time = new Date(midnight + TESTS_AT)
    lived.uploads += await uploadAll(town, day, phones)
    bar.update(day + 0.4)
    time = new Date(midnight + DOWNLOAD_AT)
    const run = await server.publishDue()
    lived.keys += run.keys
    lived.files += run.files
    const newly = await downloadAll(phones, lived.warned)
    warningsByDay.push(newly)
    bar.update(day + 1)
  }
  bar.stop()
  return { ...lived, warningsByDay }
}

async function uploadAll(town: Town, day: number, phones: readonly TownPhone[]): Promise<number> {
  const sharing = town.positives.filter(
    ({ testDay, sharedDays }) => testDay === day && sharedDays.length > 0,
  )
  await inParallel(sharing, (positive) =>
    (phones[positive.phone] as TownPhone).upload(town, positive),
  )
  return sharing.length
}

async function downloadAll(phones: readonly TownPhone[], warned: Set<number>): Promise<number> {
  const before = warned.size
  await inParallel(phones, async (phone) => {
    if (await phone.download()) warned.add(phone.number)
  })
  return warned.size - before
}

/** A phone waits for its own answers only. */
async function inParallel<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = [...items]
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: 16 }, worker))
}

interface Summary extends TownOptions {
  readonly positives: number
  readonly uploads: number
  readonly exposed: number
  readonly warned: number
  readonly missed: number
  readonly wronglyWarned: number
  readonly seconds: number
}

function judge(
  town: Town,
  { phones, days, seed }: TownOptions,
  { uploads, warned }: Lived,
  seconds: number,
): Summary {
  return {
    phones,
    days,
    seed,
    positives: town.positives.length,
    uploads,
    exposed: town.exposed.size,
    warned: warned.size,
    missed: [...town.exposed].filter((phone) => !warned.has(phone)).length,
    wronglyWarned: [...warned].filter((phone) => !town.exposed.has(phone)).length,
    seconds,
  }
}

function printTown(
  context: CommandContext,
  summary: Summary,
  lived: Lived,
  { unit }: TownProtocol,
): void {
  const rows: [string, number][] = [
    ['phones', summary.phones],
    ['days', summary.days],
    ['tested positive', summary.positives],
    ['uploads', summary.uploads],
    [`${unit} published`, lived.keys],
    ['signed files', lived.files],
    ['met a shared key', summary.exposed],
    ['warned', summary.warned],
    ['missed', summary.missed],
    ['wrongly warned', summary.wronglyWarned],
  ]
  context.print('')
  for (const [name, value] of rows)
    context.print(`  ${name.padEnd(18)}${String(value).padStart(8)}`)
  context.print('\n  Newly warned phones a day')
  const most = Math.max(1, ...lived.warningsByDay)
  lived.warningsByDay.forEach((count, day) =>
    context.print(
      `  day ${String(day + 1).padStart(2)}  ${'█'.repeat(Math.ceil((count / most) * 40)).padEnd(41)}${count}`,
    ),
  )
  context.print(
    summary.missed + summary.wronglyWarned > 0
      ? '\n  THE WARNINGS ARE WRONG: see missed and wrongly warned.\n'
      : summary.uploads === 0
        ? '\n  Nobody uploaded a key, so there was nothing to warn of: try more phones or days, or another seed.\n'
        : summary.exposed === 0
          ? '\n  Nobody met an infectious phone on a shared key, and nobody was warned.\n'
          : '\n  Everybody who met an infectious phone on a shared key was warned, and nobody else.\n',
  )
}

/** On a terminal only: a pipe stays quiet. */
function progressBar(context: CommandContext, days: number) {
  const bar = new SingleBar({
    format: '  day {day} of {total} [{bar}] {percentage}%',
    clearOnComplete: true,
    hideCursor: true,
    stream: process.stderr,
  })
  const shown = !context.json && process.stderr.isTTY
  if (shown) bar.start(days, 0, { day: 1 })
  return {
    update: (value: number) =>
      shown ? bar.update(value, { day: Math.min(days, Math.floor(value) + 1) }) : undefined,
    stop: () => (shown ? bar.stop() : undefined),
  }
}

function numberOption(
  context: CommandContext,
  name: string,
  absent: number,
  least: number,
  most: number,
): number {
  const text = textOption(context, name) ?? String(absent)
  const value = Number(text)
  if (!/^\d{1,10}$/.test(text) || value < least || value > most)
    throw new TocsinError('usage', `--${name} must be a whole number from ${least} to ${most}.`)
  return value
}
