// Cli: checks the published files against the log; promises to change nothing unless it was told to, and no file that no release names unless it was told twice.

import { setTimeout as delay } from 'node:timers/promises'
import { TocsinError } from '../errors.ts'
import { printable } from '../format/printable.ts'
import { systemClock } from '../operate/clock.ts'
import { checkStore, type StoreProblem } from '../publish/check-store.ts'
import { takePublisherLock, type PublisherLock } from '../publish/publisher-lock.ts'
import { repairStore, type MendedFinding } from '../publish/repair-store.ts'
import type { Command, CommandContext, CommandResult } from './command.ts'
import { withData, type CommandData } from './with-data.ts'

/** How often a running publisher is given time to finish, and how often its lock is asked for; how long each time, in milliseconds. */
const LOOKS = 10
const PAUSE_MS = 1_000

/** How many findings the document holds. */
const MOST_FINDINGS = 1_000

/** `tocsin store check` */
export const storeCheckCommand: Command = {
  summary:
    'Compares the published files with the log: what is lost, changed, not removed yet, or known to nobody. Looks only, beside a running publisher as well; --repair mends by the log, to the byte. Exit status 1 when something is wrong still.',
  usage: 'store check [--repair [--remove-strays]]',
  options: {
    repair: {
      type: 'boolean',
      help: 'makes lost and changed files again, moves indexes and lists, removes what was to be removed; not while another process publishes',
    },
    'remove-strays': { type: 'boolean', help: 'removes files that no release names, too' },
  },
  async run(context) {
    const repair = context.values['repair'] === true
    const removeStrays = context.values['remove-strays'] === true
    if (removeStrays && !repair)
      throw new TocsinError('usage', '--remove-strays goes with --repair.')
    return withData(context, (data) =>
      repair ? repairNow(context, data, removeStrays) : lookNow(context, data),
    )
  },
}

async function lookNow(context: CommandContext, data: CommandData): Promise<CommandResult> {
  const { config, zones } = data
  const publisher = context.deployment.publisherContext(config, zones, systemClock)
  let looks = 0
  const settle = async () => {
    // Taken for a moment only: a publisher that wants it meanwhile asks again a second later.
    await using lock = await takePublisherLock(zones.key.address, false)
    if (lock !== undefined) return true
    await delay(PAUSE_MS)
    return ++looks >= LOOKS
  }
  const report = new Report(context)
  for await (const findings of checkStore({ ...publisher, settle }, report.onFiles))
    for (const finding of findings) report.add({ ...finding, repaired: false })
  return report.end()
}

async function repairNow(
  context: CommandContext,
  { config, zones }: CommandData,
  removeStrays: boolean,
): Promise<CommandResult> {
  await using lock = await waitForLock(() => takePublisherLock(zones.key.address, false))
  const publisher = context.deployment.publisherContext(config, zones, systemClock)
  const leader = { ...publisher, mustHold: () => lock.mustHold(), settle: async () => true }
  const report = new Report(context)
  for await (const findings of repairStore(leader, { removeStrays }, report.onFiles))
    for (const finding of findings) report.add(finding)
  return report.end()
}

/** @throws TocsinError `publisher_busy` */
async function waitForLock(take: () => Promise<PublisherLock | undefined>): Promise<PublisherLock> {
  for (let look = 0; look < LOOKS; look++) {
    const lock = await take()
    if (lock !== undefined) return lock
    await delay(PAUSE_MS)
  }
  throw new TocsinError(
    'publisher_busy',
    'Another process publishes: stop it for the repair. Restarted, it puts lost files back and moves indexes by itself.',
  )
}

/** What was found, as lines and as the document. */
class Report {
  readonly #context: CommandContext
  readonly #findings: unknown[] = []
  readonly #counts: Record<StoreProblem, number> = {
    lost: 0,
    changed: 0,
    stale: 0,
    late: 0,
    stray: 0,
  }
  #files = 0
  #found = 0
  #repaired = 0

  constructor(context: CommandContext) {
    this.#context = context
  }

  readonly onFiles = (count: number): void => {
    this.#files += count
  }

  add(finding: MendedFinding): void {
    const { problem, path, size, recorded, repaired, reason } = finding
    this.#found++
    this.#counts[problem]++
    if (repaired) this.#repaired++
    this.#context.print(printable(lineOf(finding)))
    if (this.#findings.length < MOST_FINDINGS)
      this.#findings.push({
        problem,
        path,
        size: size ?? null,
        ...(recorded === undefined ? {} : { recordedSize: recorded.size, event: recorded.seq }),
        repaired,
        ...(reason === undefined ? {} : { reason }),
      })
  }

  end(): CommandResult {
    const wrong = this.#found - this.#repaired
    this.#context.print(
      `${this.#files} released files, ${this.#found} findings${this.#repaired === 0 ? '' : `, ${this.#repaired} repaired`}`,
    )
    return {
      document: {
        isRight: wrong === 0,
        files: this.#files,
        ...this.#counts,
        repaired: this.#repaired,
        findings: this.#findings,
        more: this.#found - this.#findings.length,
      },
      exitCode: wrong === 0 ? 0 : 1,
    }
  }
}

const WORDS: Readonly<Record<StoreProblem, string>> = {
  lost: 'must be there and is not',
  changed: 'has other bytes than recorded',
  stale: 'is not as the log has it',
  late: 'was removed in the log and is still there',
  stray: 'is named by no release',
}

function lineOf({ problem, path, size, repaired, reason }: MendedFinding): string {
  const bytes = size === undefined ? '' : ` (${size} bytes)`
  const outcome = repaired ? '; repaired' : reason === undefined ? '' : `; left as it is: ${reason}`
  return `${problem.padEnd(7)}  ${path}${bytes} ${WORDS[problem]}${outcome}`
}
