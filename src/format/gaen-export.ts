// Format: export.bin of exposure notification, bytes <-> values; promises the field order and omissions that phones were tested with.

import { equalBytes } from './bytes.ts'
import { FormatError } from './format-error.ts'
import {
  FIXED64,
  LENGTH_DELIMITED,
  malformed,
  ProtobufReader,
  ProtobufWriter,
  readTag,
  readText,
  VARINT,
} from './protobuf.ts'
import { MessagePieces } from './message-pieces.ts'
import { encodeSignatureInfo, readSignatureInfo, type SignatureInfo } from './signature-info.ts'

/** The 16 bytes that every export.bin begins with: "EK Export v1" and four spaces. */
export const EXPORT_MAGIC: Uint8Array = new TextEncoder().encode('EK Export v1    ')

/** A key as an export file holds it (export.proto, TemporaryExposureKey). */
export interface ExportKey {
  /** 16 bytes. */
  readonly keyData: Uint8Array
  readonly transmissionRisk: number
  /** Intervals of 10 minutes. */
  readonly rollingStart: number
  readonly rollingPeriod: number
  /** See report-type.ts. */
  readonly reportType?: number
  readonly daysSinceOnset?: number
}

/** What an export file says of itself. */
export interface ExportHeader {
  /** Unix seconds. */
  readonly startTimestamp: number
  readonly endTimestamp: number
  readonly region: string
  readonly batchNum: number
  readonly batchSize: number
  readonly signatureInfos: readonly SignatureInfo[]
}

/** The default of rolling_period, which is left out. */
const DEFAULT_ROLLING_PERIOD = 144

/** Fields 7 and 8 of TemporaryExposureKeyExport. */
const KEY_FIELDS = { keys: 7, revisedKeys: 8 } as const

/** The beginning of export.bin: magic and header. Keys follow, in as many chunks as one likes. */
export function encodeExportStart(header: ExportHeader): Uint8Array {
  const writer = new ProtobufWriter()
  writer.raw(EXPORT_MAGIC)
  writer.tag(1, FIXED64)
  writer.fixed64(header.startTimestamp)
  writer.tag(2, FIXED64)
  writer.fixed64(header.endTimestamp)
  writer.bytes(3, utf8.encode(header.region))
  writer.tag(4, VARINT)
  writer.varint(header.batchNum)
  writer.tag(5, VARINT)
  writer.varint(header.batchSize)
  for (const info of header.signatureInfos) writer.bytes(6, encodeSignatureInfo(info))
  return writer.finish()
}

/** Keys in order: an array of them, or what reads them one by one from elsewhere. */
export interface KeySequence {
  readonly length: number
  /** A key may be another one's object: whoever keeps it copies it. */
  forEach(visit: (key: ExportKey) => void): void
  slice(start: number, end: number): KeySequence
}

/** A chunk of keys. All chunks of `keys` come before those of `revisedKeys`. */
export function encodeExportKeys(keys: KeySequence, list: keyof typeof KEY_FIELDS): Uint8Array {
  const writer = new ProtobufWriter(keys.length * 40 + 16)
  const tag = KEY_FIELDS[list]
  keys.forEach((key) => {
    writer.tag(tag, LENGTH_DELIMITED)
    writer.varint(keyLength(key))
    writeKey(writer, key)
  })
  return writer.finish()
}

function writeKey(writer: ProtobufWriter, key: ExportKey): void {
  writer.bytes(1, key.keyData)
  // Always there, even when it is 0: as the phones' own tests have it.
  writer.tag(2, VARINT)
  writer.varint(key.transmissionRisk)
  if (key.rollingStart !== 0) {
    writer.tag(3, VARINT)
    writer.varint(key.rollingStart)
  }
  if (key.rollingPeriod !== DEFAULT_ROLLING_PERIOD) {
    writer.tag(4, VARINT)
    writer.varint(key.rollingPeriod)
  }
  if (key.reportType !== undefined) {
    writer.tag(5, VARINT)
    writer.varint(key.reportType)
  }
  if (key.daysSinceOnset !== undefined) {
    writer.tag(6, VARINT)
    writer.zigzag(key.daysSinceOnset)
  }
}

function keyLength(key: ExportKey): number {
  let length =
    1 +
    varintLength(key.keyData.length) +
    key.keyData.length +
    1 +
    varintLength(key.transmissionRisk)
  if (key.rollingStart !== 0) length += 1 + varintLength(key.rollingStart)
  if (key.rollingPeriod !== DEFAULT_ROLLING_PERIOD) length += 1 + varintLength(key.rollingPeriod)
  if (key.reportType !== undefined) length += 1 + varintLength(key.reportType)
  if (key.daysSinceOnset !== undefined)
    length += 1 + varintLength(((key.daysSinceOnset << 1) ^ (key.daysSinceOnset >> 31)) >>> 0)
  return length
}

function varintLength(value: number): number {
  if (value < 0) return 10
  let length = 1
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) length++
  return length
}

/** One key of an export, and the list that it stands in. */
export interface ExportEntry {
  readonly list: keyof typeof KEY_FIELDS
  readonly key: ExportKey
}

/**
 * Reads an export.bin and gives its keys one by one, so that nobody need hold them all; at the end, what it says of itself.
 * `keyData` is of whatever length the file has it.
 *
 * @param content in one piece or in several; a piece is done with when the next is asked for
 * @throws FormatError `header_wrong`, `protobuf_malformed`; what `content` throws
 */
export function* readExport(
  content: Uint8Array | Iterable<Uint8Array>,
): Generator<ExportEntry, ExportHeader> {
  const message = new MessagePieces(content)
  if (!equalBytes(message.take(EXPORT_MAGIC.length), EXPORT_MAGIC))
    throw new FormatError('header_wrong', 'export.bin does not begin with "EK Export v1".')
  const header = { startTimestamp: 0, endTimestamp: 0, region: '', batchNum: 0, batchSize: 0 }
  const signatureInfos: SignatureInfo[] = []
  for (let reader = message.next(); reader !== undefined; reader = message.next()) {
    const { field, wireType } = readTag(reader)
    if (field > 8 || wireType !== EXPORT_WIRE_TYPES[field]) message.skip(wireType, field)
    else if (field === KEY_FIELDS.keys) yield { list: 'keys', key: readKey(reader) }
    else if (field === KEY_FIELDS.revisedKeys) yield { list: 'revisedKeys', key: readKey(reader) }
    else if (field === 1) header.startTimestamp = reader.fixed64()
    else if (field === 2) header.endTimestamp = reader.fixed64()
    else if (field === 3) header.region = readText(reader)
    else if (field === 4) header.batchNum = reader.int32()
    else if (field === 5) header.batchSize = reader.int32()
    else if (signatureInfos.push(readSignatureInfo(reader)) > MAX_SIGNATURE_INFOS)
      throw malformed(`it names more than ${MAX_SIGNATURE_INFOS} signing keys`)
  }
  return { ...header, signatureInfos }
}

// The most that one file is signed with is 10.
const MAX_SIGNATURE_INFOS = 100

// By field number; 0 is no field.
const EXPORT_WIRE_TYPES = [
  -1,
  FIXED64,
  FIXED64,
  LENGTH_DELIMITED,
  VARINT,
  VARINT,
  ...[6, 7, 8].map(() => LENGTH_DELIMITED),
]

/** A whole export in memory. */
export interface DecodedExport extends ExportHeader {
  readonly keys: readonly ExportKey[]
  readonly revisedKeys: readonly ExportKey[]
}

/** Reads an export.bin at once. @throws FormatError `header_wrong`, `protobuf_malformed` */
export function decodeExport(bytes: Uint8Array): DecodedExport {
  const keys: ExportKey[] = []
  const revisedKeys: ExportKey[] = []
  const entries = readExport(bytes)
  for (;;) {
    const next = entries.next()
    if (next.done === true) return { ...next.value, keys, revisedKeys }
    const { list, key } = next.value
    if (list === 'keys') keys.push(key)
    else revisedKeys.push(key)
  }
}

function readKey(reader: ProtobufReader): ExportKey {
  const { start, end } = reader.delimited()
  const fields = new ProtobufReader(reader.bytes, start, end)
  let keyData: Uint8Array = EMPTY
  let transmissionRisk = 0
  let rollingStart = 0
  let rollingPeriod = DEFAULT_ROLLING_PERIOD
  let reportType: number | undefined
  let daysSinceOnset: number | undefined
  while (!fields.done) {
    const { field, wireType } = readTag(fields)
    if (field === 1 && wireType === LENGTH_DELIMITED) {
      const bounds = fields.delimited()
      keyData = reader.bytes.slice(bounds.start, bounds.end)
    } else if (wireType !== VARINT || field < 2 || field > 6) fields.skip(wireType, field)
    else if (field === 2) transmissionRisk = fields.int32()
    else if (field === 3) rollingStart = fields.int32()
    else if (field === 4) rollingPeriod = fields.int32()
    else if (field === 5) reportType = fields.int32()
    else daysSinceOnset = fields.sint32()
  }
  return {
    keyData,
    transmissionRisk,
    rollingStart,
    rollingPeriod,
    ...(reportType === undefined ? undefined : { reportType }),
    ...(daysSinceOnset === undefined ? undefined : { daysSinceOnset }),
  }
}

const EMPTY = new Uint8Array()
const utf8 = new TextEncoder()
