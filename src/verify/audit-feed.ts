// Verify: what only shows when the files of a feed lie beside each other; promises findings, never a refusal, and a bound to what it holds.

import { KeySet, MAX_SET_KEYS } from './key-set.ts'
import type { Limits } from './limits.ts'
import { parseFileName } from './read-index.ts'
import type { Finding } from './verification-error.ts'
import type { VerifiedExport } from './verify-export.ts'

/** Compares the files of one feed. */
export interface FeedAudit {
  /** A valid file, oldest first. @returns what is odd about it, beside those before it */
  addFile(name: string, file: VerifiedExport): Finding[]
}

/** A window of a stream, with the files that it was split into. */
interface AuditedWindow {
  readonly start: number
  readonly end: number
  /** The number of its last file; undefined when names give none. */
  number: number | undefined
}

/** Starts with no file. Windows, regions and keys are compared; keys as far as there are no more than `limits.maxKeys`. */
export function startAudit(limits: Pick<Limits, 'maxKeys'>): FeedAudit {
  const windows = startWindows()
  const compareKeys = startKeys(Math.min(limits.maxKeys, MAX_SET_KEYS))
  let region: string | undefined
  return {
    addFile(name, file) {
      const findings = [...windows(name, file), ...compareKeys(file)]
      if (region !== undefined && region !== file.header.region)
        findings.push({
          code: 'region_differs',
          sentence: 'The file is of another region than those before it.',
        })
      region = file.header.region
      return findings
    },
  }
}

/**
 * Windows follow each other without gap or overlap. Two things are as they should be: a window without keys gives no file; and one with
 * few keys is held, so that its file has corrections only, or there is none, and the next file with keys starts where it did.
 */
function startWindows() {
  let last: AuditedWindow | undefined
  // Where the time ends that any file covers, and that files with new keys cover.
  let covered: number | undefined
  let withKeys = -Infinity
  return (name: string, { header, keys }: VerifiedExport): Finding[] => {
    const window = windowOf(name, header)
    const findings: Finding[] = []
    const isSame = last !== undefined && isSameWindow(last, window)
    if (!isSplitInOrder(isSame ? last : undefined, window, header.endTimestamp))
      findings.push({
        code: 'split_incomplete',
        sentence: `The window was split into several files, and number ${(window.number ?? 1) - 1} is not among them.`,
      })
    if (!isSame) {
      if (covered !== undefined && window.start > covered)
        findings.push({ code: 'window_gap', sentence: describeGap(covered, window) })
      if (keys > 0 && window.start < withKeys)
        findings.push({
          code: 'window_overlap',
          sentence: `The time span begins at ${time(window.start)}, though an earlier file gave the keys until ${time(withKeys)}.`,
        })
    }
    last = window
    covered = Math.max(covered ?? -Infinity, window.end)
    if (keys > 0) withKeys = Math.max(withKeys, window.end)
    return findings
  }
}

/** The files of a split window say in their headers that it ends some seconds later; their names, when it does. */
function windowOf(name: string, header: VerifiedExport['header']): AuditedWindow {
  const named = parseFileName(name)
  const { startTimestamp: start, endTimestamp } = header
  return { start, end: named?.end ?? endTimestamp, number: named?.number }
}

function isSameWindow(last: AuditedWindow, { start, end, number }: AuditedWindow): boolean {
  // Without numbers in the names, the seconds tell.
  return last.start === start && (number === undefined ? end - last.end <= 1 : last.end === end)
}

/** Files that a window was split into have numbers from 1; a window of one file has a number of any kind. */
function isSplitInOrder(
  last: AuditedWindow | undefined,
  { number, end }: AuditedWindow,
  endTimestamp: number,
): boolean {
  if (number === undefined || end === endTimestamp) return true
  return number === (last?.number ?? 0) + 1
}

function describeGap(from: number, { start, end }: AuditedWindow): string {
  const gap = `Nothing covers the time from ${time(from)} to ${time(start)}`
  return (start - from) % (end - start) === 0
    ? `${gap}: windows without keys give no file, which is odd only where there must have been some.`
    : `${gap}, which is no whole number of windows like the one behind it: windows without keys don't explain it.`
}

function time(seconds: number): string {
  const date = new Date(seconds * 1000)
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString().replace('.000Z', 'Z')
}

/** Keys come once; revised keys after they came, as far as the files that were read can say. */
function startKeys(maxKeys: number) {
  const published = new KeySet()
  let isFull = false
  let number = 0
  return (file: VerifiedExport): Finding[] => {
    if (isFull) return []
    if (published.size + file.keys > maxKeys || ++number >= 2 ** 16) {
      isFull = true
      const sentence = `From here on, keys are not compared with those of other files: there are more than ${maxKeys}.`
      return [{ code: 'keys_not_compared', sentence }]
    }
    let before = 0
    for (const { list, key } of file.entries()) {
      if (list !== 'keys') continue
      const mark = published.add(key.keyData, number)
      if (mark !== 0 && mark !== number) before++
    }
    return [...findBefore(before), ...findRevised(file, published, number)]
  }
}

function findBefore(before: number): Finding[] {
  if (before === 0) return []
  const sentence = `${before} keys were published by an earlier file already.`
  return [{ code: 'keys_published_before', sentence }]
}

function findRevised(file: VerifiedExport, published: KeySet, number: number): Finding[] {
  const findings: Finding[] = []
  if (file.revisedKeys === 0) return findings
  let unknown = 0
  let both = 0
  for (const { list, key } of file.entries()) {
    if (list !== 'revisedKeys') continue
    const mark = published.markOf(key.keyData)
    if (mark === 0) unknown++
    else if (mark === number) both++
  }
  if (both > 0)
    findings.push({
      code: 'keys_in_both_lists',
      sentence: `${both} keys are new and revised in the same file: once, as they are now, would do.`,
    })
  if (unknown > 0)
    findings.push({
      code: 'revised_not_published',
      sentence: `${unknown} revised keys are in no earlier file that was read: they were published before these, or never.`,
    })
  return findings
}
