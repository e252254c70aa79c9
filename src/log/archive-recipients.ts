// Log: to whom the archive is encrypted, and identities as files have them; promises that the identity is needed for reading alone, and is never written over.

import { mkdir, readFile, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Database } from '../db/database.ts'
import { writePrivateFile } from '../db/private-file.ts'
import { sql } from '../db/sql.ts'
import { TocsinError } from '../errors.ts'

/**
 * What gives the recipients: those that were configured; else the one that the zone's database has; else, for the first object
 * ever, that of an identity which is made in a file. The file may be gone from then on.
 *
 * @param configured `age1...`, checked
 */
export function archiveRecipients(
  db: Database,
  configured: readonly string[],
  identityFile: string,
): () => Promise<readonly string[]> {
  if (configured.length > 0) return async () => configured
  let known: string | undefined
  return async () => [
    (known ??= (await readRecipient(db)) ?? (await makeRecipient(db, identityFile))),
  ]
}

async function readRecipient(db: Database): Promise<string | undefined> {
  const { rows } = await db.query<{ recipient: string }>(
    sql`select recipient from archive_recipient`,
  )
  return rows[0]?.recipient
}

/** The first of several processes makes it for all; the other zone finds its file. */
async function makeRecipient(db: Database, identityFile: string): Promise<string> {
  const { generateX25519Identity, identityToRecipient } = await import('age-encryption')
  const identity = await generateX25519Identity()
  await mkdir(dirname(identityFile), { recursive: true })
  // Durable before anything is encrypted to it.
  const made = await writePrivateFile(
    identityFile,
    `# public key: ${await identityToRecipient(identity)}\n${identity}\n`,
  )
  const [present = ''] = made ? [identity] : await readIdentities(identityFile)
  const recipient = await identityToRecipient(present)
  await db.transaction((tx) =>
    tx.query(
      sql`insert into archive_recipient (recipient) values (${recipient}) on conflict do nothing`,
    ),
  )
  const counts = (await readRecipient(db)) ?? recipient
  // Of a process with a data folder of its own: nothing is encrypted to this one.
  if (made && counts !== recipient) await unlink(identityFile)
  return counts
}

/**
 * The identities of a file as age-keygen writes it: one a line, lines with # left out.
 *
 * @throws TocsinError `archive_identity_wrong` when it can't be read or has none
 */
export async function readIdentities(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new TocsinError(
      'archive_identity_wrong',
      `${file} can't be read (${String((cause as NodeJS.ErrnoException).code)}): name the file of the identity.`,
    )
  })
  const lines = text.split('\n').map((line) => line.trim())
  const identities = lines.filter((line) => line !== '' && !line.startsWith('#'))
  if (identities.length === 0 || !identities.every((line) => line.startsWith('AGE-SECRET-KEY-')))
    throw new TocsinError(
      'archive_identity_wrong',
      `${file} holds no identity: it needs one AGE-SECRET-KEY-1... a line.`,
    )
  return identities
}
