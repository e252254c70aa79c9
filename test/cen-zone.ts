// Test helper: reports of contact event numbers in a zone that publishes, and their files as an independent reader sees them.

import assert from 'node:assert/strict'
import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { appendEvents } from '../src/log/append-event.ts'
import { packSeqs, reinstatementEvent, withdrawalEvent } from '../src/submit/corrections.ts'
import { cenReportEvent, type CenReportContent } from '../src/submit/cen-report.ts'
import { EXPORT_SCHEMA } from './published-files.ts'
import type { PublishingZone } from './publishing-zone.ts'

/** A report as a test knows it. */
export interface StoredNumbers {
  readonly seq: number
  /** In hex, sorted. */
  readonly numbers: readonly string[]
}

/** Stores reports of some numbers each, accepted now. @param known numbers that they begin with, in hex */
export async function storeNumbers(
  { zone, clock }: PublishingZone,
  reports: number,
  count: number,
  content: Partial<CenReportContent> | ((index: number) => Partial<CenReportContent>) = {},
  known: readonly (readonly string[])[] = [],
): Promise<StoredNumbers[]> {
  const numbers = Array.from({ length: reports }, (_, index) =>
    Array.from(
      { length: count },
      (__, at) => known[index]?.[at] ?? randomBytes(16).toString('hex'),
    ).sort(),
  )
  const events = numbers.map((each, index) =>
    numbersReport(
      Buffer.from(each.join(''), 'hex'),
      typeof content === 'function' ? content(index) : content,
    ),
  )
  const stored = await zone.db.transaction((tx) =>
    appendEvents(tx, zone.writer, events, clock.now()),
  )
  return stored.map(({ seq }, index) => ({ seq, numbers: numbers[index] ?? [] }))
}

/** The event of a report of numbers. */
export function numbersReport(numbers: Uint8Array, content: Partial<CenReportContent> = {}) {
  return cenReportEvent(
    {
      source: 'cens-v1',
      trackingId: randomBytes(16),
      fingerprint: randomBytes(16),
      app: 'org.example.health',
      healthAuthority: 'https://org.example.health/',
      regions: ['US'],
      reportType: 'confirmed',
      issuerHandle: null,
      timeGrain: 900,
      trust: 'verified',
      cell: null,
      count: numbers.length / 16,
      ...content,
    },
    numbers,
  )
}

/** A file as the index and the file itself say it. */
export interface ReadNumbers {
  readonly path: string
  readonly kind: string
  readonly cell: string
  readonly end: number
  /** In hex, in the file's order. */
  readonly numbers: readonly string[]
}

/** Reads all that an index names, and checks what can be checked of it. */
export async function readNumbers(
  folder: string,
  stream: string,
  publicKey: string,
): Promise<ReadNumbers[]> {
  const index = await readFile(join(folder, 'exports', stream, 'index.txt'), 'ascii')
  const [head, ...lines] = index.split('\n')
  assert.equal(head, 'tocsin-cen 1')
  const files: ReadNumbers[] = []
  for (const line of lines) {
    const [path = '', kind = '', cell = '', count = ''] = line.split(' ')
    const bytes = await readFile(join(folder, 'exports', path))
    const numbers = Array.from({ length: bytes.length / 16 }, (_, at) =>
      bytes.toString('hex', at * 16, at * 16 + 16),
    )
    assert.equal(numbers.length, Number(count))
    assert.ok(
      numbers.every((number, at) => at === 0 || number > (numbers[at - 1] ?? '')),
      'sorted, each once',
    )
    assertSigned(bytes, await readFile(join(folder, 'exports', `${path}.sig`)), publicKey)
    files.push({ path, kind, cell, end: Number(path.split('-')[1]), numbers })
  }
  return files
}

function assertSigned(bytes: Uint8Array, signatures: Uint8Array, publicKey: string): void {
  const list = EXPORT_SCHEMA.lookupType('TEKSignatureList').decode(signatures) as unknown as {
    signatures: { signature: Uint8Array }[]
  }
  assert.ok(createHash('sha256').update(bytes).digest().length === 32)
  assert.ok(list.signatures.length > 0)
  for (const { signature } of list.signatures)
    assert.ok(verify('sha256', bytes, createPublicKey(publicKey), signature))
}

/** What a phone in a place knows after it has read all files, oldest first, as docs/covidwatch.md tells it to. */
export function phoneSet(files: readonly ReadNumbers[], place: string): Set<string> {
  let known = new Set<string>()
  const groups = new Map<string, ReadNumbers[]>()
  for (const file of files) {
    const name = `${file.path.split('-').slice(0, 2).join('-')} ${file.kind}`
    groups.set(name, [...(groups.get(name) ?? []), file])
  }
  for (const group of groups.values()) {
    const cells = group.filter(({ cell }) => cell === '*' || place.startsWith(cell))
    const own = cells.toSorted(
      (a, b) => b.cell.replace('*', '').length - a.cell.replace('*', '').length,
    )[0]
    if (own === undefined) continue
    if (own.kind === 'whole') known = new Set()
    for (const number of own.numbers)
      if (own.kind === 'removed') known.delete(number)
      else known.add(number)
  }
  return known
}

const NOTE = {
  by: 'command',
  reason: 'a test',
  scope: 'retroactive',
  reports: 0,
  keys: 0,
  published: 0,
  padding: 0,
} as const

/** Withdraws reports. @returns the number of the withdrawal's event */
export async function withdrawReports(
  { zone, clock }: PublishingZone,
  seqs: readonly number[],
): Promise<number> {
  const id = randomBytes(16)
  const none = new Uint8Array()
  const event = withdrawalEvent(
    { id, selection: {}, reports: packSeqs(seqs), padding: none, keys: none },
    { ...NOTE, id },
  )
  const [stored] = await zone.db.transaction((tx) =>
    appendEvents(tx, zone.writer, [event], clock.now()),
  )
  return stored?.seq ?? 0
}

/** Ends what a withdrawal does to reports. */
export async function reinstateReports(
  { zone, clock }: PublishingZone,
  seqs: readonly number[],
  withdrawal: number,
): Promise<void> {
  const id = randomBytes(16)
  const none = new Uint8Array()
  const reportWithdrawals = packSeqs(seqs.map(() => withdrawal))
  const event = reinstatementEvent(
    {
      id,
      selection: {},
      reports: packSeqs(seqs),
      reportWithdrawals,
      keys: none,
      keyWithdrawals: none,
    },
    { ...NOTE, id, scope: null },
    [],
  )
  await zone.db.transaction((tx) => appendEvents(tx, zone.writer, [event], clock.now()))
}
