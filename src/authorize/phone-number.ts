// Authorize: phone numbers as people write them, into the form that texts are sent to; promises E.164 or a refusal that does not quote the number.

import { TocsinError } from '../errors.ts'

// A plus sign and at most 15 digits (ITU-T E.164, section 6).
const E164 = /^\+[1-9]\d{1,14}$/

/**
 * Reads a phone number: its form alone, not whether anybody has it.
 *
 * @param text with `+` and the number of a country, or as people of `defaultCountry` dial it
 * @param defaultCountry ISO 3166-1, such as US; empty when each number must name its own
 * @returns E.164, such as +15550123456; an extension is left out
 * @throws TocsinError `phone_number_invalid`
 */
export async function parsePhone(text: string, defaultCountry: string): Promise<string> {
  // Its tables take 35 ms to load, which a realm that sends no texts need not wait for.
  const { isSupportedCountry, parsePhoneNumberWithError } = await import('libphonenumber-js/min')
  const options = isSupportedCountry(defaultCountry) ? { defaultCountry } : {}
  const read = (written: string): string => {
    try {
      // A number is not looked for in a sentence: the one that is found may be somebody else's.
      return parsePhoneNumberWithError(written, { ...options, extract: false }).number
    } catch {
      throw new TocsinError('phone_number_invalid')
    }
  }
  const number = read(withoutScheme(text))
  // Of some numbers with a zero too many only one is taken off: a phone must not have two forms.
  if (!E164.test(number) || read(number) !== number) throw new TocsinError('phone_number_invalid')
  return number
}

/** As links to phones have it (RFC 3966). */
function withoutScheme(text: string): string {
  return text.trim().replace(/^tel:/i, '')
}
