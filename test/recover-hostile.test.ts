// Test: archives that somebody has put something into; promises that nothing in them stops a recovery for long, fills the memory or reaches the other zone.

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { Encrypter, identityToRecipient } from 'age-encryption'
import { nameOfObject } from '../src/log/archive-format.ts'
import { openArchive } from '../src/log/archive-store.ts'
import { openSource } from '../src/recover/open-source.ts'
import { databaseTestOnce } from './database.ts'
import { openPublishingZone } from './publishing-zone.ts'
import { makeIdentity, writeObject, writeSegments } from './write-archive.ts'

const MEBIBYTE = 1 << 20

databaseTestOnce('what somebody put into an archive is passed over', async (database, t) => {
  await using test = await openPublishingZone(database, t)
  const { zone, folder } = test
  await test.upload()
  const { identity } = await makeIdentity(folder)
  const names = await writeSegments(zone.db, folder, 'key', identity, 2)
  const archive = openArchive(join(folder, 'key'))
  const nameOf = (first: number, digest: string) =>
    nameOfObject({ kind: 'segment', first, end: first + 1, digest })
  const put = async (first: number, plain: Uint8Array, reader: string) => {
    const encrypter = new Encrypter()
    encrypter.addRecipient(await identityToRecipient(reader))
    const stored = await encrypter.encrypt(zstdCompressSync(plain))
    const digest = createHash('sha256').update(stored).digest('hex')
    writeFileSync(join(archive.folder, nameOf(first, digest)), stored)
    return stored.length
  }
  // A few stored bytes that would be many: one header of 100 MB, and one of 30 million items.
  const long = Buffer.alloc(100 * MEBIBYTE)
  long.writeUInt8(0x5a)
  long.writeUInt32BE(long.length - 5, 1)
  const many = Buffer.alloc(30 * MEBIBYTE)
  many.writeUInt8(0x9a)
  many.writeUInt32BE(many.length - 5, 1)
  for (const [index, plain] of [long, many].entries())
    assert.ok((await put(index, plain, identity)) < 20_000)
  // Somebody else's object, a pipe that nobody writes to, and a link to a file without an end.
  await put(0, Buffer.from('hello'), (await makeIdentity(folder)).identity)
  execFileSync('mkfifo', [join(archive.folder, nameOf(0, randomBytes(32).toString('hex')))])
  symlinkSync('/dev/zero', join(archive.folder, nameOf(0, randomBytes(32).toString('hex'))))

  const before = process.resourceUsage().maxRSS
  const { chain } = await openSource(archive, [identity], 'key')
  assert.deepEqual(
    chain.objects.map(({ name }) => name),
    names,
  )
  assert.equal(chain.notes.length, 3)
  assert.equal(chain.notes.filter((note) => note.includes('its header is too long')).length, 2)
  assert.match(chain.notes.join(), /encrypted to another identity/)
  const grown = (process.resourceUsage().maxRSS - before) / 1024
  assert.ok(grown < 150, `${grown.toFixed(0)} MiB more`)
})

databaseTestOnce('objects of the other zone are refused by name', async (database, t) => {
  await using test = await openPublishingZone(database, t)
  const { zone, folder } = test
  await test.upload()
  const { identity } = await makeIdentity(folder)
  const swapped = join(folder, 'swapped')
  mkdirSync(swapped)
  const span = { first: 0, end: 2, previous: null }
  const { name } = await writeObject(zone.db, swapped, 'authority', identity, span)
  await assert.rejects(openSource(openArchive(join(swapped, 'authority')), [identity], 'key'), {
    code: 'archive_damaged',
    message: new RegExp(`${name} in .* is of the authority zone`),
  })
})
