// Test: the state machine of a code: what each request does to a code in each state, all pairs.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuthorizeReply } from '../src/authorize/reply.ts'
import { zoneTest } from './authority-zone.ts'
import { databaseTestOnce } from './database.ts'
import {
  idOf,
  openRoom,
  REQUESTS,
  STATES,
  type CodeRoom,
  type CodeState,
  type KnownCode,
} from './code-states.ts'

/** Columns of a code's row. */
type Row = Readonly<Record<string, unknown>>

/** What an outcome is: the reply, and what it changes of the code. */
interface Outcome {
  readonly status: number
  /** Of a refusal. */
  readonly errorCode?: string
  /** Columns of the code that are other ones than before; none when left out. */
  readonly changes?: readonly string[]
  /** What else is true of the reply and the code. */
  check?(cell: Cell): void
}

interface Cell {
  readonly code: KnownCode
  readonly reply: AuthorizeReply
  /** The code's row; undefined when there is none. */
  readonly before: Row | undefined
  readonly after: Row | undefined
  readonly seconds: number
}

const NEW_TOKEN = ['claimed', 'token_id', 'token_expires_at', 'token_seq', 'nonce_mac']

const refused = (status: number, errorCode: string): Outcome => ({ status, errorCode })

const OUTCOMES: Readonly<Record<string, Outcome>> = {
  // The code is claimed by whoever asks; the token before has ended.
  token: {
    status: 200,
    changes: NEW_TOKEN,
    check: (cell) => {
      assertNewToken(cell)
      assert.equal(cell.after?.['nonce_mac'], null)
    },
  },
  // The same, and it belongs to the phone with that nonce.
  bound: {
    status: 200,
    changes: NEW_TOKEN,
    check: (cell) => {
      assertNewToken(cell)
      assert.notEqual(cell.after?.['nonce_mac'], null)
    },
  },
  // The token that the phone had.
  same: {
    status: 200,
    check: ({ code, reply }) => assert.equal(idOf(reply.body['token']), idOf(code.token)),
  },
  // The code is used up.
  certificate: {
    status: 200,
    changes: ['keys_mac', 'certified_seq', 'handle'],
    check: ({ reply }) => assert.match(String(reply.body['certificate']), /^[\w-]+(\.[\w-]+){2}$/),
  },
  // A certificate for the same keys once more.
  again: {
    status: 200,
    check: ({ reply }) => assert.match(String(reply.body['certificate']), /^[\w-]+(\.[\w-]+){2}$/),
  },
  unclaimed: { status: 200, check: ({ reply }) => assert.equal(reply.body['claimed'], false) },
  claimed: { status: 200, check: ({ reply }) => assert.equal(reply.body['claimed'], true) },
  // Both forms expire now, if they have not yet.
  ends: {
    status: 200,
    changes: ['expires_at', 'long_expires_at'],
    check: ({ reply, before, after, seconds }) => {
      for (const [column, field] of [
        ['expires_at', 'expiresAtTimestamp'],
        ['long_expires_at', 'longExpiresAtTimestamp'],
      ] as const) {
        assert.equal(after?.[column], Math.min(Number(before?.[column]), seconds))
        assert.equal(reply.body[field], after?.[column])
      }
    },
  },
  // They have.
  over: {
    status: 200,
    check: ({ reply, after }) =>
      assert.equal(reply.body['longExpiresAtTimestamp'], after?.['long_expires_at']),
  },
  // Another code, under that uuid.
  new: {
    status: 200,
    check: ({ code, reply }) => {
      assert.equal(reply.body['uuid'], code.uuid)
      assert.notEqual(reply.body['code'], code.short)
    },
  },
  invalid: refused(400, 'code_invalid'),
  expired: refused(400, 'code_expired'),
  type: refused(412, 'unsupported_test_type'),
  dead: refused(400, 'token_expired'),
  used: refused(400, ''),
  missing: refused(404, 'code_not_found'),
  taken: refused(409, 'uuid_already_exists'),
  closed: refused(429, 'maintenance_mode'),
}

/** States, and what each request of `REQUESTS` does, in its order: verify with the short and with the long form, certificate, the health system's. */
const TABLE = `
unknown                                | invalid invalid invalid invalid | invalid invalid invalid invalid | dead        dead        dead | missing   missing new
issued                                 | token   bound   bound   type    | token   bound   bound   type    | dead        dead        dead | unclaimed ends    taken
claimed without nonce                  | token   bound   bound   type    | token   bound   bound   type    | certificate certificate dead | claimed   used    taken
claimed with nonce                     | token   same    bound   type    | token   same    bound   type    | certificate certificate dead | claimed   used    taken
certified                              | invalid invalid invalid invalid | invalid invalid invalid invalid | again       dead        dead | claimed   used    taken
short form expired                     | expired expired expired expired | token   bound   bound   type    | dead        dead        dead | unclaimed ends    taken
short form expired, claimed            | expired expired expired expired | token   same    bound   type    | certificate certificate dead | claimed   used    taken
short form expired, certified          | expired expired expired expired | invalid invalid invalid invalid | again       dead        dead | claimed   used    taken
both forms expired                     | expired expired expired expired | expired expired expired expired | dead        dead        dead | unclaimed over    taken
both forms expired, token alive        | expired expired expired expired | expired expired expired expired | certificate certificate dead | claimed   over    taken
ended, then unclaimed                  | expired expired expired expired | expired expired expired expired | dead        dead        dead | unclaimed over    taken
claimed, then not ended                | token   same    bound   type    | token   same    bound   type    | certificate certificate dead | claimed   used    taken
invalidated unclaimed                  | invalid invalid invalid invalid | invalid invalid invalid invalid | dead        dead        dead | unclaimed ends    taken
invalidated claimed                    | invalid invalid invalid invalid | invalid invalid invalid invalid | dead        dead        dead | claimed   used    taken
invalidated certified                  | invalid invalid invalid invalid | invalid invalid invalid invalid | dead        dead        dead | claimed   used    taken
failed: its text was not sent          | invalid invalid invalid invalid | invalid invalid invalid invalid | dead        dead        dead | missing   missing new
self-report unclaimed                  | invalid bound   invalid type    | invalid bound   invalid type    | dead        dead        dead | unclaimed ends    taken
self-report claimed                    | invalid same    invalid type    | invalid same    invalid type    | certificate certificate dead | claimed   used    taken
self-report certified                  | invalid invalid invalid invalid | invalid invalid invalid invalid | again       dead        dead | claimed   used    taken
paper inactive                         | invalid invalid invalid invalid | invalid invalid invalid invalid | dead        dead        dead | missing   missing new
paper activated                        | token   bound   bound   type    | token   bound   bound   type    | dead        dead        dead | missing   missing new
paper without activation               | token   bound   bound   type    | token   bound   bound   type    | dead        dead        dead | missing   missing new
paper claimed                          | token   same    bound   type    | token   same    bound   type    | certificate certificate dead | missing   missing new
paper certified                        | invalid invalid invalid invalid | invalid invalid invalid invalid | again       dead        dead | missing   missing new
paper expired                          | expired expired expired expired | expired expired expired expired | dead        dead        dead | missing   missing new
paper of an invalidated batch          | invalid invalid invalid invalid | invalid invalid invalid invalid | dead        dead        dead | missing   missing new
paper of an invalidated batch, claimed | invalid invalid invalid invalid | invalid invalid invalid invalid | dead        dead        dead | missing   missing new
paper of an incomplete batch           | invalid invalid invalid invalid | invalid invalid invalid invalid | dead        dead        dead | missing   missing new
provider suspended                     | invalid invalid invalid invalid | invalid invalid invalid invalid | dead        dead        dead | unclaimed ends    taken
provider suspended, claimed            | invalid invalid invalid invalid | invalid invalid invalid invalid | dead        dead        dead | claimed   used    taken
provider closed                        | invalid invalid invalid invalid | invalid invalid invalid invalid | dead        dead        dead | unclaimed ends    taken
provider closed, certified             | invalid invalid invalid invalid | invalid invalid invalid invalid | dead        dead        dead | claimed   used    taken
realm in maintenance                   | closed  closed  closed  closed  | closed  closed  closed  closed  | closed      closed      closed | unclaimed ends    closed
realm in maintenance, claimed          | closed  closed  closed  closed  | closed  closed  closed  closed  | closed      closed      closed | claimed   used    closed
`

const ROWS = new Map(
  TABLE.trim()
    .split('\n')
    .map((line): [string, string[]] => {
      const [state = '', ...groups] = line.split('|')
      return [state.trim(), groups.join(' ').trim().split(/\s+/)]
    }),
)

const REQUEST_NAMES = Object.keys(REQUESTS) as (keyof typeof REQUESTS)[]

test('the table has every pair of a state and a request, and no other', () => {
  assert.deepEqual([...ROWS.keys()], Object.keys(STATES))
  for (const [state, cells] of ROWS) {
    assert.equal(cells.length, REQUEST_NAMES.length, state)
    for (const cell of cells) assert.ok(Object.hasOwn(OUTCOMES, cell), `${state}: ${cell}`)
  }
})

for (const [name, state] of Object.entries(STATES) as [string, CodeState][])
  zoneTest(
    `a code that is ${name}: what each request does`,
    async (zone, clock) => {
      await using room = await openRoom(zone, clock)
      const cells = ROWS.get(name) ?? []
      const codes: KnownCode[] = []
      for (const _ of REQUEST_NAMES) codes.push(await state.make(room))
      await state.afterwards?.(room)
      room.settle()
      for (const [index, request] of REQUEST_NAMES.entries()) {
        const code = codes[index] as KnownCode
        const before = await rowOf(room, code)
        const reply = await REQUESTS[request](room, code)
        const after = await rowOf(room, code)
        const seconds = Math.floor(clock.now().getTime() / 1000)
        try {
          assertOutcome(cells[index] ?? '', { code, reply, before, after, seconds })
        } catch (error) {
          throw new Error(`${request}: expected "${cells[index]}"`, { cause: error })
        }
      }
    },
    databaseTestOnce,
  )

function assertOutcome(word: string, cell: Cell): void {
  const { reply, before, after } = cell
  const { status, errorCode, changes = [], check } = OUTCOMES[word] as Outcome
  assert.deepEqual(
    [reply.status, reply.body['errorCode']],
    [status, errorCode],
    String(reply.body['error']),
  )
  assert.equal(reply.body['error_code'], errorCode)
  assert.equal(after === undefined, before === undefined)
  for (const column of Object.keys(after ?? {}))
    if (!changes.includes(column)) assert.equal(after?.[column], before?.[column], column)
  check?.(cell)
}

function assertNewToken({ code, reply, before, after, seconds }: Cell): void {
  const id = idOf(reply.body['token'])
  assert.ok(id !== idOf(code.token) && id !== idOf(code.ended))
  assert.equal(after?.['token_id'], `\\x${Buffer.from(id, 'base64url').toString('hex')}`)
  assert.equal(after['claimed'], true)
  assert.equal(after['token_expires_at'], seconds + 86_400)
  assert.ok(Number(after['token_seq']) > Number(before?.['token_seq'] ?? 0))
}

/** The row of a code, found as the server finds it. */
async function rowOf({ zone, context }: CodeRoom, { short }: KnownCode): Promise<Row | undefined> {
  const macs = (await context.peppers()).every('code', zone.realm.name, short)
  const { rows } = await zone.zone.db.query<{ row: Row }>({
    text: 'select to_jsonb(c) as row from verification_code c where code_mac = any($1::bytea[])',
    values: [macs],
  })
  return rows[0]?.row
}
