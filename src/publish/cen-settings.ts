// Publish: what a stream of contact event numbers says beyond what every stream says; promises a value for each, also of a stream that says nothing.

import { TRUST_LEVELS } from '../submit/cen-report.ts'
import type { StreamEncoder, StreamSetting } from './stream-encoder.ts'
import type { Stream } from './streams.ts'

/** Settings of a stream of contact event numbers. */
export interface CenSettings {
  /** Levels of trust whose reports it publishes. They never mix unless it says so. */
  readonly trust: readonly string[]
  /** Characters of the cells into which its files are split, at the most; 0 for no split. */
  readonly cells: number
  /** Reports that a cell of a file has at least. */
  readonly cellReports: number
}

const DEFAULTS: CenSettings = { trust: ['verified'], cells: 0, cellReports: 20 }

/** The options of these settings, by their names in {@link CenSettings}. */
export const CEN_SETTINGS: Readonly<Record<keyof CenSettings, StreamSetting>> = {
  trust: {
    option: 'trust',
    help: 'levels of trust whose reports it publishes, separated by commas: verified (default), located, trusted, shared',
    expected: 'one or several of verified, located, trusted and shared',
    parse(text) {
      const levels = [...new Set(text.split(',').map((word) => word.trim()))].sort()
      return levels.every((level) => TRUST_LEVELS.some((each) => each === level))
        ? levels
        : undefined
    },
  },
  cells: {
    option: 'cells',
    help: 'characters of the geohash cells into which its files are split, at the most: 0 (default, no split) to 4',
    expected: 'a number from 0 to 4',
    parse: (text) => wholeNumber(text, 0, 4),
  },
  cellReports: {
    option: 'cell-reports',
    help: 'reports that a cell of a file has at least; default 20',
    expected: 'a number from 2 to 1000',
    parse: (text) => wholeNumber(text, 2, 1_000),
  },
}

/** As {@link StreamEncoder.publishes}: reports of the levels of trust that the stream says, or else of the usual ones. */
export const CEN_PUBLISHES = `coalesce(s.settings -> 'trust', '${JSON.stringify(DEFAULTS.trust)}') ? (select trust from cen_report where seq = p.seq)`

/** How such a stream differs from {@link STREAM_DEFAULTS}: there is no padding of numbers, and they are current for 21 days. */
export const CEN_STREAM_DEFAULTS = {
  minimum: 0,
  retention: 21 * 86_400,
  diagnosisKeys: false,
} as const satisfies StreamEncoder['streamDefaults']

/** What a stream says, completed. */
export function cenSettings({ settings }: Pick<Stream, 'settings'>): CenSettings {
  return { ...DEFAULTS, ...settings }
}

function wholeNumber(text: string, least: number, most: number): number | undefined {
  const number = /^\d{1,4}$/.test(text) ? Number(text) : NaN
  return number >= least && number <= most ? number : undefined
}
