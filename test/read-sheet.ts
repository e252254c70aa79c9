// Test: a printed sheet of cards, read back by somebody else's code: its pages as pixels, its text, its QR codes.

import { createCanvas } from '@napi-rs/canvas'
import jsqr from 'jsqr'
import { getDocument, type PDFDocumentProxy } from 'pdfjs-dist/legacy/build/pdf.mjs'

export const DPI = 200

/** A page as a printer makes it, in grey. */
export interface PagePixels {
  readonly width: number
  readonly height: number
  /** Four bytes a pixel. */
  readonly data: Uint8ClampedArray
  /** Whether the pixel at a place, in millimetres from the upper left corner, is dark. */
  isDark(x: number, y: number): boolean
}

/** Opens a PDF. The caller destroys its loading task. */
export async function openPdf(bytes: Uint8Array): Promise<PDFDocumentProxy> {
  return getDocument({ data: Uint8Array.from(bytes), verbosity: 0 }).promise
}

/** The texts of a page, as they are copied from it. @param number from 1 */
export async function readTexts(pdf: PDFDocumentProxy, number: number): Promise<string[]> {
  const page = await pdf.getPage(number)
  const { items } = await page.getTextContent()
  return items.flatMap((item) => ('str' in item && item.str.trim() !== '' ? [item.str] : []))
}

/** Renders a page at 200 dots an inch. @param number from 1 */
export async function renderPage(pdf: PDFDocumentProxy, number: number): Promise<PagePixels> {
  const page = await pdf.getPage(number)
  const viewport = page.getViewport({ scale: DPI / 72 })
  const width = Math.round(viewport.width)
  const height = Math.round(viewport.height)
  const canvas = createCanvas(width, height)
  // pdf.js knows the canvas of browsers; this one does what it asks for.
  const target = canvas as unknown as Parameters<typeof page.render>[0]['canvas']
  await page.render({ canvas: target, viewport }).promise
  const { data } = canvas.getContext('2d').getImageData(0, 0, width, height)
  const pixel = (millimetres: number) => Math.floor((millimetres / 25.4) * DPI)
  return {
    width,
    height,
    data,
    isDark: (x, y) => (data[(pixel(y) * width + pixel(x)) * 4] ?? 255) < 128,
  }
}

/** What the QR code in a rectangle of a page says, in millimetres from its upper left corner; null when there is none. */
export function readQrCode(
  pixels: PagePixels,
  left: number,
  top: number,
  width: number,
  height: number,
): string | null {
  const [x, y, columns, rows] = [left, top, width, height].map((millimetres) =>
    Math.round((millimetres / 25.4) * DPI),
  ) as [number, number, number, number]
  const part = new Uint8ClampedArray(columns * rows * 4)
  for (let row = 0; row < rows; row++) {
    const from = ((y + row) * pixels.width + x) * 4
    part.set(pixels.data.subarray(from, from + columns * 4), row * columns * 4)
  }
  const read = jsqr as unknown as typeof jsqr.default
  return read(part, columns, rows)?.data ?? null
}
