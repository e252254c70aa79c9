// Http: the environment variables of ct-diag-server's downloads; promises that nothing is taken for a setting that it is not.

import { STREAM_NAME } from '../distribute/public-paths.ts'
import {
  DEFAULT_EXPOSURE_CONFIG,
  readExposureConfig,
  type ExposureConfig,
} from './exposure-config.ts'

/** The variables. */
export const CTDIAG_DOWNLOAD_VARIABLES = {
  TOCSIN_CTDIAG_STREAM: {
    help: 'stream (of the kind ctdiag) whose keys are at /diagnosis-keys; default ctdiag',
    expected: '1 to 63 lower-case letters, digits and hyphens',
    parse: (given: string) => (STREAM_NAME.test(given) ? given : undefined),
  },
  TOCSIN_CTDIAG_RESYNC: {
    help: 'whether a client whose last key is not in the list any more gets the whole list, as apps need that know no refusal; default false',
    expected: 'true or false',
    parse: (given: string) => (given === 'true' ? true : given === 'false' ? false : undefined),
  },
  TOCSIN_CTDIAG_EXPOSURE_CONFIG: {
    help: 'file with the JSON that /exposure-config answers; by default every exposure counts the same',
    expected: "a JSON file with the fields of Apple's ENExposureConfiguration",
    parse: (given: string): ExposureConfig | undefined => {
      const read = readExposureConfig(given)
      return typeof read === 'string' ? undefined : read
    },
    problemOf: (given: string) => {
      const read = readExposureConfig(given)
      return typeof read === 'string' ? read : undefined
    },
  },
} as const

/** Where phones read a stream's keys beside its files. */
export const CTDIAG_LIST = {
  address: '/diagnosis-keys',
  variable: 'TOCSIN_CTDIAG_STREAM',
  stream: (given: ReadonlyMap<string, unknown>) => ctdiagDownloadSettings(given).stream,
} as const

/** How downloads are answered. */
export interface CtdiagDownloadSettings {
  readonly stream: string
  readonly resync: boolean
  readonly exposureConfig: ExposureConfig
}

/** The settings that follow from what was given. @param given values of {@link CTDIAG_DOWNLOAD_VARIABLES} by name */
export function ctdiagDownloadSettings(
  given: ReadonlyMap<string, unknown>,
): CtdiagDownloadSettings {
  type Variables = typeof CTDIAG_DOWNLOAD_VARIABLES
  type Values = { [Name in keyof Variables]?: ReturnType<Variables[Name]['parse']> }
  const values = Object.fromEntries(given) as Values
  return {
    stream: values.TOCSIN_CTDIAG_STREAM ?? 'ctdiag',
    resync: values.TOCSIN_CTDIAG_RESYNC ?? false,
    exposureConfig: values.TOCSIN_CTDIAG_EXPOSURE_CONFIG ?? DEFAULT_EXPOSURE_CONFIG,
  }
}
