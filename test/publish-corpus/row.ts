// Test helper: what a row of the corpus says; promises that rows are read as sentences: given, when, expect.

import type { ReportType } from '../../src/format/report-type.ts'

/** When all rows happen: 48 intervals into a day (UTC). */
export const NOW = Date.parse('2026-03-10T08:00:00Z') / 1000
/** The interval of 10 minutes that begins now. */
export const CURRENT = NOW / 600
/** The day's first interval. */
export const MIDNIGHT = CURRENT - 48
export const DAY = 144
/** A day's keys so many days ago. */
export const daysAgo = (days: number) => MIDNIGHT - days * DAY

/** A JSON object's members; a member that is undefined is left out. */
export type Members = Readonly<Record<string, unknown>>

/**
 * How a key differs from a good one. The good one at place n is a whole day's, n + 1 days ago, its bytes random, its text
 * coming before that of place n + 1. `of` takes the bytes of another place.
 */
export interface KeyChange {
  readonly of?: number
  readonly key?: string | ((good: string) => unknown)
  readonly [member: string]: unknown
}

/** How a request differs from a good one: two good keys and a certificate over them, signed now. */
export interface Change {
  readonly method?: string
  /** null leaves the header out. */
  readonly contentType?: string | null
  readonly headers?: Readonly<Record<string, string>>
  /** Sends the body in pieces, without saying its length before. */
  readonly chunked?: boolean
  /** Two good keys when it is left out. */
  readonly keys?: readonly KeyChange[]
  /** Whose request it is. */
  readonly app?: string
  /** Replaces members of the body. */
  readonly fields?: Members
  readonly reportType?: ReportType
  /** Replaces claims of the certificate. */
  readonly claims?: Members
  /** Replaces members of the certificate's header. */
  readonly header?: Members
  /** The text that is MACed, from the four-part and the three-part form of the keys as sent. */
  readonly maced?: (fourParts: string, threeParts: string) => string
  /** The HMAC key. */
  readonly secret?: Uint8Array
  /** Another certificate than the good one. */
  readonly certificate?: (good: string) => string
  /** The revision token: that of the newest upload before, or of the first, or another text. */
  readonly token?: 'newest' | 'first' | { readonly text: string }
  /** Changes the body's text at last. */
  readonly body?: (good: string) => string | Uint8Array
  /** Pads the body to so many bytes. */
  readonly size?: number
}

/** What is stored of a key. Only what is named is compared. */
export interface Stored {
  readonly type?: ReportType
  readonly revised?: ReportType
  readonly risk?: number
  readonly days?: number
  /** Unix seconds from which on it may be published. */
  readonly available?: number
  readonly start?: number
  readonly period?: number
}

/** What follows. */
export interface Expected {
  readonly status: number
  readonly code?: string
  readonly subCode?: string
  readonly error?: RegExp
  readonly warnings?: readonly RegExp[]
  /** insertedExposures; absent from the reply when it is 0. */
  readonly inserted?: number
  /** Whether a revision token comes back; with every 200 when it is left out. */
  readonly token?: boolean
  /** By the keys' places; null for one that is not stored. */
  readonly stored?: readonly (Stored | null)[]
  /** What is stored of the upload as a whole. */
  readonly report?: { readonly regions?: string; readonly traveler?: boolean }
}

/** A row of the corpus. */
export interface Row {
  readonly what: string
  /** Uploads that were accepted before, of the same keys by their places, each with the token of the one before. */
  readonly given?: readonly Change[]
  readonly when: Change
  readonly expect: Expected
}

/** The request as a whole is refused. */
export const refused = (error: RegExp, status = 400): Expected => ({
  status,
  code: 'bad_request',
  error,
  inserted: 0,
})

/** The certificate is refused. */
export const untrusted = (subCode: string, error = /^The verification certificate/): Expected => ({
  status: 401,
  code: 'health_authority_verification_certificate_invalid',
  subCode,
  error,
})

/** The keys are accepted, none of them dropped. */
export const accepted = (inserted: number): Expected => ({ status: 200, inserted })

/** Some keys are dropped with an error, the others are accepted. */
export const partly = (inserted: number, error: RegExp): Expected => ({
  status: 200,
  code: 'partial_failure',
  error,
  inserted,
})
