// Test helper: what a row of the corpus of the device and admin APIs says; promises that rows are read as sentences: given, when, there, here.

/** The addresses. */
export const ADDRESSES = [
  'verify',
  'certificate',
  'user-report',
  'issue',
  'batch-issue',
  'checkcodestatus',
  'expirecode',
] as const
export type Address = (typeof ADDRESSES)[number]

/** What became of a code before the request. */
export const STATES = [
  'none',
  'issued',
  'claimed',
  'certified',
  'ended',
  'over',
  'over, claimed',
  'over, certified',
] as const
export type State = (typeof STATES)[number]

/** What a row's request can name: a code, what was made of it, and the day. */
export interface Subject {
  readonly code: string
  /** Empty unless the code was sent with a text. */
  readonly longCode: string
  readonly uuid: string
  /** Empty until the code was claimed. */
  readonly token: string
  /** Of the certificate; of none yet before there is one. */
  readonly ekeyhmac: string
  /** Of the phone that reported itself; else random. */
  readonly nonce: string
  /** A phone number that nobody has used. */
  readonly phone: string
  /** A date so many days before today's, UTC. */
  day(before: number): string
}

/** A status, and behind it the errorCode, where it is not empty. */
export type Outcome = string

/** How the subject's code was asked for. */
export interface Given {
  readonly state?: State
  /** Fields of its issue. */
  readonly issue?: Readonly<Record<string, unknown>>
  /** Its dates; those of a good issue when left out. */
  readonly dates?: (day: Subject['day']) => Readonly<Record<string, unknown>>
  /** Whether a phone reported itself instead. */
  readonly selfReport?: boolean
}

/** Which key is sent: one of the realm's, or one that is none. */
export type KeyKind =
  | 'right'
  | 'none'
  | 'empty'
  | 'malformed'
  | 'unknown'
  | 'wrong secret'
  | 'wrong type'
  | 'stats'
  | 'revoked'

/** The realms: one with everything enabled, one with nothing, one that needs no date, one with a quota of two codes, one that is closed. */
export type RealmName = 'main' | 'plain' | 'dateless' | 'limited' | 'closed'

/** A row of the corpus. */
export interface Row {
  readonly what: string
  readonly to: Address
  readonly realm?: RealmName
  /** Whose the code is; the same realm's when left out. */
  readonly codeOf?: RealmName
  readonly key?: KeyKind
  readonly given?: Given
  /** Made from the subject where it is a function. Bytes and texts are sent as they are. */
  readonly body:
    string | Readonly<Record<string, unknown>> | ((subject: Subject) => unknown) | undefined
  readonly method?: string
  readonly query?: string
  /** null leaves the header out. */
  readonly contentType?: string | null
  readonly headers?: Readonly<Record<string, string>>
  /** Pads the body to so many bytes. */
  readonly size?: number
  /** What the reference server answers; undefined where nobody has seen it. */
  readonly there: Outcome | undefined
  /** What is answered here, where it differs on purpose, and the beginning of the row of the page that says why. */
  readonly here?: Outcome
  readonly why?: string
  /** Checks the reply's fields. */
  readonly check?: (body: Readonly<Record<string, unknown>>, subject: Subject) => void
}

/** The same answer as there. */
export type Same = Pick<Row, 'there'>
export const same = (there: Outcome): Same => ({ there })

/** Another answer than there, for the reason that the page gives. */
export const differs = (
  there: Outcome | undefined,
  here: Outcome,
  why: string,
): Pick<Row, 'there' | 'here' | 'why'> => ({ there, here, why })

/** A good body of an address. */
export const GOOD: Readonly<Record<Address, (subject: Subject) => Record<string, unknown>>> = {
  verify: ({ code }) => ({ code }),
  certificate: ({ token, ekeyhmac }) => ({ token, ekeyhmac }),
  'user-report': ({ phone, nonce, day }) => ({ phone, nonce, testDate: day(1) }),
  issue: ({ day }) => ({ testType: 'confirmed', symptomDate: day(3) }),
  'batch-issue': ({ day }) => ({ codes: [{ testType: 'confirmed', symptomDate: day(3) }] }),
  checkcodestatus: ({ uuid }) => ({ uuid }),
  expirecode: ({ uuid }) => ({ uuid }),
}

/** The state in which a good body of an address is accepted. */
export const STATE_FOR: Readonly<Record<Address, State>> = {
  verify: 'issued',
  certificate: 'claimed',
  'user-report': 'none',
  issue: 'none',
  'batch-issue': 'none',
  checkcodestatus: 'issued',
  expirecode: 'issued',
}

/** What an address says of a request that can't be read. */
export const UNREADABLE: Readonly<Record<Address, Outcome>> = {
  verify: '400 unparsable_request',
  certificate: '400 token_invalid',
  'user-report': '400 unparsable_request',
  issue: '400 unparsable_request',
  'batch-issue': '400 unparsable_request',
  checkcodestatus: '400',
  expirecode: '400',
}

/** A good body with other fields. */
export const good =
  (to: Address, fields: Readonly<Record<string, unknown>> = {}) =>
  (subject: Subject): Record<string, unknown> => ({ ...GOOD[to](subject), ...fields })

/** A text as a row's name can hold it. */
export const named = (value: unknown): string => {
  const text = value === undefined ? 'nothing' : JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 57)}... (${text.length})` : text
}
