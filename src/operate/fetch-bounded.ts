// Operate: reads one address of somebody else, or posts to it; promises an end after a bounded time and size, at the same host, and a reason without a word of the answer.

/** Why an address could not be read. */
export type FetchProblem = 'unreachable' | 'timeout' | 'status' | 'redirect' | 'too_large'

/** How much is read, and for how long. */
export interface FetchBounds {
  readonly timeoutMs: number
  /** Of the body, unpacked. */
  readonly maxBytes: number
  /** Ends it early. */
  readonly signal: AbortSignal
}

/** Redirects that are followed, to the same scheme, host and port. */
const MAX_REDIRECTS = 3

/**
 * Reads an address with GET.
 *
 * @returns the body of an answer with status 200, or why there is none
 * @throws the reason of `bounds.signal` when it aborts
 */
export async function fetchBounded(
  url: string,
  bounds: FetchBounds,
): Promise<Uint8Array | FetchProblem> {
  const timeout = AbortSignal.timeout(bounds.timeoutMs)
  const signal = AbortSignal.any([timeout, bounds.signal])
  try {
    const response = await follow(url, signal)
    if (typeof response === 'string') return response
    return (await readBody(response, bounds.maxBytes)) ?? 'too_large'
  } catch {
    bounds.signal.throwIfAborted()
    return timeout.aborted ? 'timeout' : 'unreachable'
  }
}

/** An answer, whatever its status. */
export interface PostAnswer {
  readonly status: number
  /** Empty when it was longer than allowed: the status was received all the same. */
  readonly body: Uint8Array
}

/**
 * Sends a body to an address with POST, and to no other: no redirect is followed.
 *
 * @returns the answer, or why there is none
 * @throws the reason of `bounds.signal` when it aborts
 */
export async function postBounded(
  url: string,
  { body, contentType }: { readonly body: string; readonly contentType: string },
  bounds: FetchBounds,
): Promise<PostAnswer | FetchProblem> {
  const timeout = AbortSignal.timeout(bounds.timeoutMs)
  const signal = AbortSignal.any([timeout, bounds.signal])
  try {
    const response = await fetch(url, {
      method: 'POST',
      body,
      signal,
      redirect: 'manual',
      headers: { 'content-type': contentType, accept: 'application/json' },
    })
    const { status } = response
    if (status >= 300 && status <= 399) {
      await response.body?.cancel()
      return 'redirect'
    }
    return { status, body: (await readBody(response, bounds.maxBytes)) ?? new Uint8Array() }
  } catch {
    bounds.signal.throwIfAborted()
    return timeout.aborted ? 'timeout' : 'unreachable'
  }
}

async function follow(url: string, signal: AbortSignal): Promise<Response | FetchProblem> {
  let address = new URL(url)
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const response = await fetch(address, {
      signal,
      redirect: 'manual',
      headers: { accept: 'application/json' },
    })
    if (response.status === 200) return response
    await response.body?.cancel()
    if (response.status < 300 || response.status > 399) return 'status'
    const location = response.headers.get('location') ?? ''
    if (!URL.canParse(location, address.href)) return 'redirect'
    const next = new URL(location, address.href)
    if (next.origin !== address.origin) return 'redirect'
    address = next
  }
  return 'redirect'
}

/** The body, or undefined when it is longer. */
async function readBody(response: Response, maxBytes: number): Promise<Uint8Array | undefined> {
  const pieces: Uint8Array[] = []
  let size = 0
  // Leaving the loop early cancels the rest.
  for await (const piece of response.body ?? []) {
    size += piece.length
    if (size > maxBytes) return undefined
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}
