// Http: what of two forms of an answer a client would rather have (RFC 9110, section 12.5.1); promises JSON to whoever does not ask for text.

/** Whether a request asks for plain text rather than for JSON. @param accept its header */
export function prefersText(accept: string | undefined): boolean {
  if (accept === undefined) return false
  return weightOf(accept, 'text/plain') > weightOf(accept, 'application/json')
}

/** From 0, not wanted, to 1: by the most precise of the ranges that a type is in. */
function weightOf(accept: string, type: string): number {
  const names = [type, `${type.split('/')[0]}/*`, '*/*']
  const ranges = accept.split(',').map((range) => {
    const [name = '', ...parameters] = range.split(';').map((each) => each.trim().toLowerCase())
    const [, weight] =
      parameters.map((each) => /^q=([01](?:\.\d{0,3})?)$/.exec(each)).find(Boolean) ?? []
    return { precision: names.indexOf(name), weight: weight === undefined ? 1 : Number(weight) }
  })
  const known = ranges
    .filter(({ precision }) => precision >= 0)
    .sort((a, b) => a.precision - b.precision)
  return known[0]?.weight ?? 0
}
