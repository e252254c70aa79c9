// Cli: checks published files as a phone or an auditor would; promises exit status 0 only when all of them are valid.

import { readFile } from 'node:fs/promises'
import { TocsinError } from '../errors.ts'
import { printable } from '../format/printable.ts'
import { FEED_FORMS } from '../kinds.ts'
import type { FeedWords, TargetEvent } from '../verify/feed-form.ts'
import { DEFAULT_LIMITS } from '../verify/limits.ts'
import { loadTrustedKeys, type LoadedKey } from '../verify/trusted-keys.ts'
import { VerificationError, type Verdict } from '../verify/verification-error.ts'
import { textOption, type Command, type CommandContext } from './command.ts'
import { counted } from './counted.ts'
import { verifyTarget } from './verify-target.ts'
import { requiredOption } from './with-data.ts'

/** What was found out about one file. */
interface CheckedFile {
  readonly file: string
  readonly verdict: Verdict
  readonly code: string | null
  readonly keys: number
  readonly revisedKeys: number
}

/** What `--json` prints. */
interface VerifyDocument {
  /** Of the first of the worst files. */
  verdict: Verdict
  valid: boolean
  /** Why not, for that file. */
  code: string | null
  problem: string | null
  /** How many, in the files that are valid. */
  keys: number
  revisedKeys: number
  /** Of the newest valid file. */
  region: string | null
  /** Unix seconds: from the earliest to the latest. */
  start: number | null
  end: number | null
  /** Each signing key once. */
  signatures: { keyId: string; keyVersion: string; verdict: string }[]
  /** What is odd about a valid file; with null for the file, why the look ended before all of them were read. */
  findings: { code: string; sentence: string; file: string | null }[]
  files: CheckedFile[]
}

/** The names of a key that is trusted. */
export const KEY_NAME_OPTIONS = {
  'key-id': { type: 'string', help: 'its id; left out, the key is tried on every signature' },
  'key-version': { type: 'string', help: 'its version' },
} as const satisfies Command['options']

/** `tocsin verify` */
export const verifyCommand: Command = {
  summary: 'Checks published files: who signed them, and whether every key keeps the rules.',
  usage: 'verify URL|FOLDER|FILE --key FILE [--key-id ID] [--key-version V]',
  positionals: 1,
  options: {
    key: { type: 'string', help: 'file with the public key that is trusted, PEM' },
    ...KEY_NAME_OPTIONS,
  },
  async run(given) {
    // Names and sentences come from whoever made the files.
    const context = { ...given, print: (line: string) => given.print(printable(line)) }
    const [target, ...others] = context.positionals
    if (target === undefined || others.length > 0)
      throw new TocsinError('usage', 'Say what to verify: one URL, folder or file.')
    const keys = await loadKeyOption(context)
    const document = startDocument()
    let words = WORDS
    const options = { signal: context.signal, forms: FEED_FORMS }
    try {
      for await (const event of verifyTarget(target, keys, DEFAULT_LIMITS, options)) {
        addToDocument(document, event)
        if (event.type === 'file') words = event.export.words ?? WORDS
        printFile(context, event)
      }
    } catch (error) {
      // Whatever else went wrong says nothing about the files.
      if (error instanceof TocsinError)
        throw new TocsinError(error.code, printable(error.message), { cause: error })
      if (!(error instanceof VerificationError)) throw error
      stopEarly(context, document, error)
    }
    printSummary(context, document, words)
    return { document, exitCode: document.valid ? 0 : 1 }
  },
}

/** The trusted key that the options name. @throws TocsinError `trusted_key_invalid`, `usage` */
export async function loadKeyOption(context: CommandContext): Promise<LoadedKey[]> {
  const file = requiredOption(context, 'key')
  const shown = printable(file)
  const publicKey = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new TocsinError('trusted_key_invalid', `The public key ${shown} can't be read.`, {
      cause,
    })
  })
  const keyId = textOption(context, 'key-id')
  const keyVersion = textOption(context, 'key-version')
  return await loadTrustedKeys([{ publicKey, keyId, keyVersion }]).catch((cause: unknown) => {
    throw new TocsinError(
      'trusted_key_invalid',
      `${shown} must hold a P-256 public key as PEM (-----BEGIN PUBLIC KEY-----).`,
      { cause },
    )
  })
}

function startDocument(): VerifyDocument {
  return {
    verdict: 'valid',
    valid: true,
    code: null,
    problem: null,
    keys: 0,
    revisedKeys: 0,
    region: null,
    start: null,
    end: null,
    signatures: [],
    findings: [],
    files: [],
  }
}

function addToDocument(document: VerifyDocument, event: TargetEvent): void {
  const { file } = event
  if (event.type === 'refused') {
    const { verdict, code } = event.error
    document.files.push({ file, verdict, code, keys: 0, revisedKeys: 0 })
    refuse(document, event.error, file)
    return
  }
  const { header, keys, revisedKeys, signatures, findings } = event.export
  document.files.push({ file, verdict: 'valid', code: null, keys, revisedKeys })
  document.keys += keys
  document.revisedKeys += revisedKeys
  document.region = header.region
  document.start = Math.min(document.start ?? Infinity, header.startTimestamp)
  document.end = Math.max(document.end ?? -Infinity, header.endTimestamp)
  document.findings.push(...findings.map((finding) => ({ ...finding, file })))
  for (const { verificationKeyId, verificationKeyVersion, verdict } of signatures) {
    const signature = { keyId: verificationKeyId, keyVersion: verificationKeyVersion, verdict }
    const known = document.signatures.some(
      (each) =>
        each.keyId === signature.keyId &&
        each.keyVersion === signature.keyVersion &&
        each.verdict === verdict,
    )
    if (!known) document.signatures.push(signature)
  }
}

/** Whatever was found before: nobody has looked at the files behind this. */
function stopEarly(
  context: CommandContext,
  document: VerifyDocument,
  error: VerificationError,
): void {
  const { verdict, code, message } = error
  document.findings.push({ code, sentence: message, file: null })
  refuse(document, error)
  // Else the last line says so.
  if (document.problem !== message) context.print(`stopped early  ${verdict}: ${code}: ${message}`)
}

/** From best to worst: that something can't be read takes nothing back of what was found, and broken is worse than untrusted. */
const SEVERITY: readonly Verdict[] = ['valid', 'unavailable', 'untrusted', 'invalid']

/** The first file of the worst verdict counts. */
function refuse(document: VerifyDocument, error: VerificationError, file?: string): void {
  if (SEVERITY.indexOf(error.verdict) <= SEVERITY.indexOf(document.verdict)) return
  document.verdict = error.verdict
  document.valid = false
  document.code = error.code
  document.problem = file === undefined ? error.message : `${file}: ${error.message}`
}

const WORDS: FeedWords = { key: 'key', revised: 'revised' }

function countKeys(keys: number, revisedKeys: number, { key, revised }: FeedWords): string {
  return `${counted(keys, key)}, ${revisedKeys} ${revised}`
}

function printFile(context: CommandContext, event: TargetEvent): void {
  if (event.type === 'refused') {
    const { verdict, code, message } = event.error
    context.print(`${event.file}  ${verdict}: ${code}: ${message}`)
    return
  }
  const { keys, revisedKeys, findings, words = WORDS } = event.export
  context.print(`${event.file}  valid: ${countKeys(keys, revisedKeys, words)}`)
  for (const { code, sentence } of findings) context.print(`  ${code}: ${sentence}`)
}

function printSummary(context: CommandContext, document: VerifyDocument, words: FeedWords): void {
  const { verdict, files, keys, revisedKeys, region, start, end, code, problem } = document
  const count = counted(files.length, 'file')
  if (!document.valid) context.print(`${verdict}: ${code}: ${problem}`)
  else if (start === null || end === null) context.print('valid: the index lists no file yet.')
  else
    context.print(
      `valid: ${count}, ${countKeys(keys, revisedKeys, words)}, ${region === null ? '' : `region ${region}, `}from ${formatTime(start)} to ${formatTime(end)}, signed by ${document.signatures
        .filter((signature) => signature.verdict === 'trusted')
        .map(({ keyId, keyVersion }) => `${keyId} ${keyVersion}`)
        .join(', ')}`,
    )
}

function formatTime(seconds: number): string {
  const date = new Date(seconds * 1000)
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString()
}
