// Bench: what a phone does with a file: check, read, derive, look up, against the bare calls that derivation can't do without.

import { createCipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { deriveIdentifiers } from '../src/format/gaen-derivation.ts'
import type { ExportKey } from '../src/format/gaen-export.ts'
import { createMatcher, type ObservedIdentifier } from '../src/verify/match.ts'
import { verifyExport } from '../src/verify/verify-export.ts'
import { EXPORT_DAY, exportKey, makeExport, makeSigner } from '../test/export-files.ts'
import { alternate, type Benchmark } from './harness.ts'

const KEYS = 10_000
const OBSERVED = 100_000
// Many short rounds: whatever else the machine does then hits both sides of most of them.
const ROUNDS = 31
const GOAL = 1.5

/** `npm run bench -- verify` */
export const bench: Benchmark = {
  summary:
    'keys a second through signature check, parse and look-up of all 144 identifiers among 100,000 observed',
  unit: 'keys/s',
  goal: `at most ${GOAL} times the time of bare HKDF and AES calls of node:crypto for the same keys`,
  async run(report) {
    const signer = makeSigner()
    const trusted = [{ publicKey: signer.publicKey, keyId: signer.keyId }]
    const keys = Array.from({ length: KEYS }, (_, index) =>
      exportKey(index, { keyData: new Uint8Array(randomBytes(16)) }),
    ).sort((a, b) => Buffer.compare(a.keyData, b.keyData))
    const zip = makeExport({ signers: [signer], keys })
    const observed: ObservedIdentifier[] = Array.from({ length: OBSERVED - 1 }, () => ({
      identifier: new Uint8Array(randomBytes(16)),
      interval: EXPORT_DAY + 70,
    }))
    // One key was near, so that a look-up that finds nothing shows.
    const [near] = keys as [ExportKey]
    const interval = near.rollingStart + 70
    observed.push({ identifier: deriveIdentifiers(near.keyData, interval, 1), interval })
    const matcher = createMatcher(observed)
    let runs = 0
    let matches = 0
    const ours = async () => {
      runs++
      const verified = await verifyExport(zip, trusted)
      for (const { key } of verified.entries()) matches += matcher.match(key).length
    }
    const floor = () => {
      for (const { keyData } of keys) deriveBare(keyData)
    }
    // Both are compiled before anything is measured.
    await ours()
    floor()
    const result = await alternate(
      ROUNDS,
      () => rateOf(ours),
      () => rateOf(floor),
    )
    // Rates become times: the goal is about time.
    const ratio = 1 / result.ratio
    report(
      `${result.value.toFixed(0)} keys/s against ${result.floor.toFixed(0)}: ${ratio.toFixed(2)} times the time`,
    )
    return {
      value: result.value,
      floor: result.floor,
      ratio,
      holds: ratio <= GOAL && matches === runs,
      extra: { keys: KEYS, observed: OBSERVED, fileBytes: zip.length },
    }
  },
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

async function rateOf(run: () => Promise<void> | void): Promise<number> {
  // Else one side would clear up what the other left.
  collectGarbage()
  const start = performance.now()
  await run()
  return (KEYS / (performance.now() - start)) * 1_000
}

const INFO = Buffer.from('EN-RPIK')
const NO_SALT = Buffer.alloc(0)
const DAY = Buffer.alloc(144 * 16)

/** The identifiers of a day, in the fewest calls; what they come to is thrown away. */
function deriveBare(keyData: Uint8Array): void {
  const identifierKey = Buffer.from(hkdfSync('sha256', keyData, NO_SALT, INFO, 16))
  createCipheriv('aes-128-ecb', identifierKey, null).setAutoPadding(false).update(DAY)
}
