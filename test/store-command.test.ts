// Test: `tocsin store check`, as an operator calls it: beside a publisher or alone, with an exit status that can be relied on.

import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { publishDue } from '../src/publish/publish-due.ts'
import { takePublisherLock } from '../src/publish/publisher-lock.ts'
import { databaseTestOnce } from './database.ts'
import { readIndex } from './published-files.ts'
import { openPublishingZone } from './publishing-zone.ts'
import { tocsin } from './run-command.ts'

databaseTestOnce(
  'the command tells what it found, changes nothing unasked, and its exit status says whether all is right',
  async (database, t) => {
    await using test = await openPublishingZone(database, t)
    const env = {
      TOCSIN_DATABASE_URL: database.url,
      TOCSIN_MASTER_KEY_FILE: join(test.folder, 'master.key'),
      TOCSIN_DATA: test.folder,
      TOCSIN_PUBLIC: test.zone.publicFolder,
    }
    await test.addStream('us')
    await test.upload()
    test.clock.advance(3600)
    await publishDue(test.zone.publisher)
    const [path = ''] = await readIndex(test.zone.publicFolder, 'us')
    const store = async (...args: string[]) => {
      const { status, out, err } = await tocsin(['store', 'check', ...args], env)
      return { status, err, out, document: args.includes('--json') ? JSON.parse(out) : undefined }
    }
    assert.deepEqual(await store(), {
      status: 0,
      err: '',
      out: '1 released files, 0 findings\n',
      document: undefined,
    })
    await rm(join(test.zone.publicFolder, 'exports', path))
    const counts = { lost: 1, changed: 0, stale: 0, late: 0, stray: 0 }
    const looked = await store('--json')
    assert.deepEqual([looked.status, looked.err], [1, ''])
    assert.deepEqual(looked.document, {
      isRight: false,
      files: 1,
      ...counts,
      repaired: 0,
      findings: [
        {
          problem: 'lost',
          path: `exports/${path}`,
          size: null,
          recordedSize: looked.document.findings[0].recordedSize,
          event: looked.document.findings[0].event,
          repaired: false,
        },
      ],
      more: 0,
    })
    assert.deepEqual((await store('--remove-strays')).status, 2)
    await using lock = await takePublisherLock(test.zone.address, true)
    const [beside, busy] = await Promise.all([store(), store('--repair')])
    assert.deepEqual([beside.status, beside.err], [1, ''], 'a look needs no lock')
    assert.equal(busy.status, 1)
    assert.match(busy.err, /^tocsin: publisher_busy: [^\n]+\n$/)
    await lock?.[Symbol.asyncDispose]()
    const repaired = await store('--repair', '--json')
    assert.deepEqual([repaired.status, repaired.document.repaired], [0, 1])
    assert.equal((await store()).status, 0)
  },
)
