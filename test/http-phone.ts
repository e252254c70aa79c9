// Test helper: a phone that speaks HTTP with a running service, and looks at replies as an onlooker would; promises headers and bodies as they came.

import { addHealthAuthority } from '../src/submit/health-authorities.ts'
import { makeAuthority, makeKeys, makeRequest } from './key-zone.ts'
import type { RunningService } from './running-service.ts'

/** A reply, and how long it took. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Readonly<Record<string, unknown>>
  /** Characters of the body, and those that are not its padding. */
  readonly length: number
  readonly unpadded: number
  readonly milliseconds: number
}

/** A phone. */
export interface HttpPhone {
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>
  /** The same by any method. @param body none when it is the empty text */
  send(
    method: string,
    path: string,
    body: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>
  /** A good upload of new keys. @param days one key each */
  makeUpload(days?: number): Promise<Record<string, unknown>>
}

/** What makes a request a decoy. */
export const CHAFF = { 'x-chaff': '1' }

/** A phone of a health authority that the service knows from now on, in the region of the service's stream. */
export async function openPhone(service: RunningService): Promise<HttpPhone> {
  const { zones, clock, url, phones } = service
  const authority = makeAuthority('org.example.health', ['DEMO'])
  await zones.key.db.transaction((tx) =>
    addHealthAuthority(tx, zones.key.writer, authority, clock.now()),
  )
  const send: HttpPhone['send'] = async (method, path, body, headers = {}) => {
    const apiKey = path === '/api/issue' ? phones.adminKey : phones.deviceKey
    const began = performance.now()
    const response = await fetch(`${url}${path}`, {
      method,
      ...(body === '' ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      headers: { 'content-type': 'application/json', 'x-api-key': apiKey, ...headers },
    })
    const text = await response.text()
    const isJson = response.headers.get('content-type') === 'application/json'
    const parsed = (isJson ? JSON.parse(text) : { text }) as Record<string, unknown>
    return {
      status: response.status,
      headers: response.headers,
      body: parsed,
      length: text.length,
      unpadded: text.length - String(parsed['padding'] ?? '').length,
      milliseconds: performance.now() - began,
    }
  }
  return {
    makeUpload: (days = 3) => makeRequest(authority, makeKeys(clock.now(), days), clock.now()),
    send,
    post: (path, body, headers) => send('POST', path, body, headers),
  }
}
