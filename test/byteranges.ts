// Test helper: reads bodies of several parts; promises an error for any that is not as RFC 9110, section 14.6 has them.

/** A part of a body. */
export interface ReceivedPart {
  /** Its Content-Range. */
  readonly range: string
  readonly bytes: Buffer
}

/** @throws Error when the body is no multipart/byteranges */
export function readByteranges(contentType: string, body: Buffer): ReceivedPart[] {
  const boundary = /^multipart\/byteranges; boundary="?([^"]+)"?$/.exec(contentType)?.[1]
  if (boundary === undefined) throw new Error(`${contentType} has no boundary`)
  const text = body.toString('latin1')
  // Servers may begin with an empty line.
  const pieces = `\r\n${text.replace(/^\r\n/, '')}`.split(`\r\n--${boundary}`)
  if (pieces.shift() !== '' || !/^--(\r\n)?$/.test(pieces.pop() ?? ''))
    throw new Error('a body begins and ends with its boundary')
  return pieces.map((piece) => {
    const end = piece.indexOf('\r\n\r\n')
    const range = /\r\ncontent-range: (.*)/i.exec(piece.slice(0, end))?.[1]
    if (end < 0 || range === undefined) throw new Error('a part has no Content-Range')
    return { range, bytes: Buffer.from(piece.slice(end + 4), 'latin1') }
  })
}
