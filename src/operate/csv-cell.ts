// Operate: a text as a cell of CSV (RFC 4180); promises that no spreadsheet takes it for a formula.

/**
 * A spreadsheet takes a cell that begins like this for a formula; behind white space and characters that nobody sees, too, and in
 * the wide forms of Asian scripts.
 */
const FORMULA = /^[\s\p{Cf}]*[=+\-@＝＋－＠|%]|^[\t\r\n]/u

/** The text as a cell, in quotation marks where it needs them. */
export function csvCell(text: string): string {
  const harmless = FORMULA.test(text) ? `'${text}` : text
  // Semicolons and tabs part cells in some spreadsheets.
  return /[",;\t\r\n]|^\s|\s$/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}
