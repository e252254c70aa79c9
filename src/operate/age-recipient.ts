// Operate: recipients of age, as an operator writes them; promises that a misspelt one is found before anything is encrypted to nobody.

const CHARACTERS = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3]

/** Of the kinds that need nothing beside the text: X25519, and with a post-quantum half. */
const KINDS = /^(age|age1pq)1[02-9ac-hj-np-z]{58,}$/

/** Whether a text is a recipient, its checksum (BIP 173) included. */
export function isAgeRecipient(text: string): boolean {
  if (!KINDS.test(text)) return false
  const border = text.lastIndexOf('1')
  const prefix = Array.from(text.slice(0, border), (letter) => letter.charCodeAt(0))
  const values = [
    ...prefix.map((code) => code >> 5),
    0,
    ...prefix.map((code) => code & 31),
    ...Array.from(text.slice(border + 1), (letter) => CHARACTERS.indexOf(letter)),
  ]
  return checksum(values) === 1
}

function checksum(values: readonly number[]): number {
  let sum = 1
  for (const value of values) {
    const top = sum >>> 25
    sum = ((sum & 0x1ffffff) << 5) ^ value
    GENERATOR.forEach((each, bit) => (sum ^= (top >> bit) & 1 ? each : 0))
  }
  return sum
}
