// Test helper: reads files of HTTP expectations and judges replies by them; promises that a line it doesn't know is an error, never a comment.

import assert from 'node:assert/strict'
import { connect, type NetConnectOpts } from 'node:net'
import { readByteranges } from './byteranges.ts'

/** A request, and what must come of it. */
export interface Expectation {
  readonly title: string
  /** Why it is expected of one server alone. */
  readonly only?: { readonly server: string; readonly reason: string }
  /** The request's lines, without their line ends. */
  readonly request: readonly string[]
  /** The reply's lines: a status, headers, the body. */
  readonly reply: readonly string[]
}

/** A reply, as it came. */
export interface RawReply {
  readonly status: number
  /** Lower-case names; several of one name are joined. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

/** @throws AssertionError when the text is no file of expectations */
export function parseExpectations(text: string): Expectation[] {
  const blocks = text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .split(/^== /m)
  assert.equal(blocks.shift()?.trim(), '', 'a file begins with an expectation')
  return blocks.map((block) => {
    const [title = '', ...lines] = block.split('\n').filter((line) => line.trim() !== '')
    const taken = (mark: string) =>
      lines.filter((line) => line.startsWith(`${mark} `)).map((line) => line.slice(2))
    const [, server, reason] = /^(ours|nginx) only: (.+)$/.exec(lines[0] ?? '') ?? []
    const request = taken('>')
    const reply = taken('<')
    const known = request.length + reply.length + (server === undefined ? 0 : 1)
    assert.equal(known, lines.length, `"${title}" has a line that means nothing`)
    assert.ok(request.length > 0 && reply.length > 0, `"${title}" has a request and a reply`)
    return {
      title,
      request,
      reply,
      ...(server === undefined ? {} : { only: { server, reason: reason ?? '' } }),
    }
  })
}

/** Sends lines as they are, over a connection of their own. */
export function sendRaw(to: NetConnectOpts, lines: readonly string[]): Promise<RawReply> {
  const hasHost = lines.some((line) => /^host:/i.test(line))
  const all = [...lines, ...(hasHost ? [] : ['Host: test']), 'Connection: close', '', '']
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect(to).on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.setTimeout(20_000, () => socket.destroy(new Error('no answer')))
    socket.once('error', reject)
    socket.once('end', () => {
      socket.destroy()
      resolve(parseReply(Buffer.concat(chunks)))
    })
    socket.write(Buffer.from(all.join('\r\n'), 'latin1'))
  })
}

function parseReply(bytes: Buffer): RawReply {
  const end = bytes.indexOf('\r\n\r\n')
  const [first = '', ...lines] = bytes.toString('latin1', 0, Math.max(end, 0)).split('\r\n')
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const before = headers.get(name)
    const value = line.slice(colon + 1).trim()
    headers.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return { status: Number(first.split(' ')[1]), headers, body: bytes.subarray(end + 4) }
}

/**
 * What is wrong with a reply; nothing for a good one. A line of a reply is one of
 *
 *     404                      the status; several with | between them
 *     name: value              a header, to the letter; with slashes around it, a pattern for all of it
 *     no name                  a header that must not be there
 *     body file PATH           the file's bytes; with FROM-TO behind it, that part
 *     body parts PATH A-B ...  a body of several parts
 *     body code CODE           our JSON of a refusal
 *     body empty, body any
 *
 * @param files the published files by their paths
 * @param secret what no reply may contain
 */
export function judge(
  { reply: lines }: Expectation,
  reply: RawReply,
  files: ReadonlyMap<string, Buffer>,
  secret: string,
): string[] {
  const problems: string[] = []
  const expect = (line: string, holds: boolean, found: string | undefined) =>
    holds ? undefined : problems.push(`${line}; found ${found}`)
  for (const line of lines) {
    const [, header, value = ''] = /^([A-Za-z-]+): (.*)$/.exec(line) ?? []
    const found = reply.headers.get(header?.toLowerCase() ?? '')
    if (/^\d{3}(\|\d{3})*$/.test(line))
      expect(line, line.split('|').includes(String(reply.status)), String(reply.status))
    else if (header !== undefined) {
      const [, pattern] = /^\/(.*)\/$/.exec(value) ?? []
      const matches =
        pattern === undefined ? found === value : new RegExp(`^(?:${pattern})$`).test(found ?? '')
      expect(line, found !== undefined && matches, found)
    } else if (line.startsWith('no ')) {
      const unwanted = reply.headers.get(line.slice(3).toLowerCase())
      expect(line, unwanted === undefined, unwanted)
    } else if (line.startsWith('body ')) {
      const found = `${reply.body.length} bytes: ${reply.body.toString('latin1', 0, 80)}`
      expect(line, bodyMatches(line.slice(5), reply, files), found)
    } else assert.fail(`"${line}" means nothing`)
  }
  if (reply.body.includes(secret)) problems.push('the secret was served')
  const length = reply.headers.get('content-length')
  if (reply.body.length > 0 && length !== undefined)
    expect(`content-length: ${length}`, Number(length) === reply.body.length, 'another body')
  return problems
}

function bodyMatches(
  text: string,
  { headers, body }: RawReply,
  files: ReadonlyMap<string, Buffer>,
): boolean {
  const [form = '', argument = '', ...ranges] = text.split(' ')
  const part = (range: string) => {
    const [from, to] = range.split('-').map(Number)
    return file?.subarray(from, (to ?? 0) + 1)
  }
  const file = files.get(argument)
  switch (form) {
    case 'any':
      return true
    case 'empty':
      return body.length === 0
    case 'code':
      return (JSON.parse(body.toString()) as { code?: unknown }).code === argument
    case 'file':
      assert.ok(file, `${argument} is no file of the test`)
      return body.equals(ranges[0] === undefined ? file : (part(ranges[0]) ?? Buffer.alloc(0)))
    case 'parts': {
      assert.ok(file && ranges.length > 0, `${argument} is no file of the test`)
      const parts = readByteranges(headers.get('content-type') ?? '', body)
      return (
        parts.length === ranges.length &&
        ranges.every(
          (range, number) =>
            parts[number]?.range === `bytes ${range}/${file.length}` &&
            parts[number]?.bytes.equals(part(range) ?? Buffer.alloc(0)),
        )
      )
    }
    default:
      return assert.fail(`"body ${text}" means nothing`)
  }
}
