// Test helper: published files as independent readers see them (yauzl, protobufjs); promises to use none of the code that made them.

import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import protobuf from 'protobufjs'

/** The part of yauzl 3 that is used here; the package has no types. */
interface Yauzl {
  fromBufferPromise(bytes: Buffer): Promise<{
    eachEntry(): AsyncIterable<{ fileName: string }>
    openReadStreamPromise(entry: { fileName: string }): Promise<Readable>
  }>
}

const yauzl = createRequire(import.meta.url)('yauzl') as Yauzl

/** The published definition of export files: google/exposure-notifications-server, internal/pb/export/export.proto. */
export const { root: EXPORT_SCHEMA } = protobuf.parse(
  `syntax = "proto2";
   message TemporaryExposureKeyExport {
     optional fixed64 start_timestamp = 1;
     optional fixed64 end_timestamp = 2;
     optional string region = 3;
     optional int32 batch_num = 4;
     optional int32 batch_size = 5;
     repeated SignatureInfo signature_infos = 6;
     repeated TemporaryExposureKey keys = 7;
     repeated TemporaryExposureKey revised_keys = 8;
   }
   message SignatureInfo {
     optional string verification_key_version = 3;
     optional string verification_key_id = 4;
     optional string signature_algorithm = 5;
   }
   message TemporaryExposureKey {
     optional bytes key_data = 1;
     optional int32 transmission_risk_level = 2;
     optional int32 rolling_start_interval_number = 3;
     optional int32 rolling_period = 4 [default = 144];
     optional int32 report_type = 5;
     optional sint32 days_since_onset_of_symptoms = 6;
   }
   message TEKSignatureList { repeated TEKSignature signatures = 1; }
   message TEKSignature {
     optional SignatureInfo signature_info = 1;
     optional int32 batch_num = 2;
     optional int32 batch_size = 3;
     optional bytes signature = 4;
   }`,
  { keepCase: true },
)

/** A key as protobufjs gives it. */
export interface PublishedKey {
  readonly key_data: Buffer
  readonly transmission_risk_level: number
  readonly rolling_start_interval_number: number
  readonly rolling_period: number
  readonly report_type: number
  readonly days_since_onset_of_symptoms: number
}

/** What an export file holds. */
export interface PublishedExport {
  /** The names of the zip's entries, in order. */
  readonly entries: readonly string[]
  /** The whole export.bin, which is what is signed. */
  readonly bin: Buffer
  /** The fields of export.bin but its keys. */
  readonly header: Readonly<Record<string, unknown>>
  readonly keys: readonly PublishedKey[]
  readonly revisedKeys: readonly PublishedKey[]
  readonly signatures: readonly { readonly signature: Buffer; readonly [field: string]: unknown }[]
}

/** Reads a zip. */
export async function readExport(zip: Uint8Array): Promise<PublishedExport> {
  const entries = await unzip(zip)
  const bin = entries.get('export.bin') ?? Buffer.alloc(0)
  const { keys, revised_keys, ...header } = decode('TemporaryExposureKeyExport', bin.subarray(16))
  const list = decode('TEKSignatureList', entries.get('export.sig') ?? Buffer.alloc(0))
  return {
    entries: [...entries.keys()],
    bin,
    header,
    keys: (keys ?? []) as PublishedKey[],
    revisedKeys: (revised_keys ?? []) as PublishedKey[],
    signatures: list['signatures'] as PublishedExport['signatures'],
  }
}

async function unzip(zip: Uint8Array): Promise<Map<string, Buffer>> {
  const file = await yauzl.fromBufferPromise(Buffer.from(zip))
  const entries = new Map<string, Buffer>()
  for await (const entry of file.eachEntry())
    entries.set(entry.fileName, await buffer(await file.openReadStreamPromise(entry)))
  return entries
}

function decode(type: string, bytes: Buffer): Record<string, unknown> {
  const message = EXPORT_SCHEMA.lookupType(type)
  return message.toObject(message.decode(bytes), { longs: Number, bytes: Buffer, defaults: false })
}

/** The lines of a stream's index. */
export async function readIndex(folder: string, stream: string): Promise<string[]> {
  const text = await readFile(join(folder, 'exports', stream, 'index.txt'), 'ascii')
  return text === '' ? [] : text.split('\n')
}

/** One published zip, by the name that the index gives it. */
export async function readPublished(folder: string, path: string): Promise<PublishedExport> {
  return readExport(await readFile(join(folder, 'exports', path)))
}

/** Every file below a folder with the SHA-256 of its bytes, in hex. */
export async function digestFolder(folder: string): Promise<Record<string, string>> {
  const digests = new Map<string, string>()
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  for (const entry of entries.filter((each) => each.isFile())) {
    // Closed to everybody else: what lies there is not public.
    if (basename(entry.parentPath) === '.staging') continue
    const file = join(entry.parentPath, entry.name)
    const bytes = await readFile(file)
    digests.set(file.slice(folder.length + 1), createHash('sha256').update(bytes).digest('hex'))
  }
  return Object.fromEntries(digests)
}
