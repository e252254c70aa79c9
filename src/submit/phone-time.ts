// Submit: whether a text is a time of day as phones write it; promises to know the forms that the systems which are replaced here take from apps, and to keep nothing of it.

const CLOCK = String.raw`(?<hour>\d\d?):(?<minute>\d\d)(?::(?<second>\d\d)(?:\.\d{0,30})?)?`
const ZONE = String.raw` ?(?:[a-z]{1,5}|[+-]\d\d(?::?\d\d)?)`

/** As the database of CovidWatch's second backend reads them: ISO 8601, the date of an email or of HTTP, and that of C and Java. */
const FORMS = [
  String.raw`(?<year>\d{4})(?<between>[-/]?)(?<month>\d\d)\k<between>(?<day>\d\d)(?:(?:t| )${CLOCK}(?:${ZONE})?)?`,
  String.raw`(?<year>\d{4})-?(?<month>\d\d)-?(?<day>\d\d)t(?<hour>\d\d)(?<minute>\d\d)(?<second>\d\d)(?:\.\d{0,30})?(?:${ZONE})?`,
  String.raw`(?:[a-z]{3,9},? )?(?<day>\d\d?)[- ](?<name>[a-z]{3})[- ](?<year>\d{4}) ${CLOCK}(?:${ZONE})?`,
  String.raw`[a-z]{3} (?<name>[a-z]{3}) {1,2}(?<day>\d\d?) ${CLOCK}(?: [a-z]{3,5})? (?<year>\d{4})`,
].map((form) => new RegExp(`^${form}$`, 'i'))

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

/** Whether a text is a time, whenever that is: a phone whose clock is wrong has met people as well. */
export function isPhoneTime(text: string): boolean {
  const fields = FORMS.map((form) => form.exec(text)?.groups).find((groups) => groups !== undefined)
  if (fields === undefined) return false
  const { year, month, name = '', day, hour = '0', minute = '0', second = '0' } = fields
  const number = month === undefined ? MONTHS.indexOf(name.toLowerCase()) : Number(month) - 1
  // Whoever writes 24:00:00 means midnight, and a leap second is the sixtieth.
  const isClock = Number(hour) <= 24 && Number(minute) <= 59 && Number(second) <= 60
  return isClock && isDay(Number(year), number, Number(day))
}

/** JavaScript takes a day that there is not for another one. */
function isDay(year: number, month: number, day: number): boolean {
  const date = new Date(Date.UTC(year, month, day))
  return date.getUTCMonth() === month && date.getUTCDate() === day
}
