// Authorize: how many text messages a text is sent and paid as; promises to count as phone networks do, characters that must not be split included.

/** How long a text is for a phone network. */
export interface TextLength {
  /** GSM 03.38 with its extension table; UCS-2 as soon as one character is in neither. */
  readonly encoding: 'gsm' | 'ucs2'
  /** Septets or 16-bit units. */
  readonly units: number
  readonly segments: number
}

/** The default alphabet of GSM 03.38, in the order of its table, without the escape. */
const BASIC = new Set(
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?' +
    '¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà',
)

/** Its extension table: each takes an escape and one more septet. */
const EXTENSION = new Set('\f^{}\\[~]|€')

/** Units of a text alone, and of each segment when there are more: those have a header of 6 bytes. */
const CAPACITY = { gsm: [160, 153], ucs2: [70, 67] } as const

/** Measures a text. An empty one is sent as one message, too. */
export function measureText(text: string): TextLength {
  const characters = Array.from(text)
  const isGsm = characters.every((character) => BASIC.has(character) || EXTENSION.has(character))
  const encoding = isGsm ? 'gsm' : 'ucs2'
  const widths = characters.map((character) =>
    isGsm ? (EXTENSION.has(character) ? 2 : 1) : character.length,
  )
  const units = widths.reduce((sum, width) => sum + width, 0)
  const [alone, each] = CAPACITY[encoding]
  return { encoding, units, segments: units <= alone ? 1 : countSegments(widths, each) }
}

/** An escape stays with its character and both halves of a surrogate pair together, so that a segment may end early. */
function countSegments(widths: readonly number[], each: number): number {
  let segments = 1
  let used = 0
  for (const width of widths) {
    if (used + width > each) {
      segments++
      used = 0
    }
    used += width
  }
  return segments
}
