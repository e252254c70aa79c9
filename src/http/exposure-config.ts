// Http: how phones weigh an exposure, as GET /exposure-config tells them; promises that no phone is given a value that Apple's framework would refuse.

import { readFileSync } from 'node:fs'

/** As Apple's ENExposureConfiguration of its first version has it; a file may say more than that. */
export interface ExposureConfig {
  readonly minimumRiskScore: number
  readonly [field: string]: unknown
}

/** What a level is made of. */
const LEVELS = ['attenuation', 'daysSinceLastExposure', 'duration', 'transmissionRisk'] as const

/** How many values each level has, and what they and the rest may be. */
const VALUES = 8
const MOST = { value: 8, weight: 100, score: 255 } as const

/** Every exposure counts, and each the same: what it takes to be warned is for a health authority to say. */
export const DEFAULT_EXPOSURE_CONFIG: ExposureConfig = {
  minimumRiskScore: 0,
  ...Object.fromEntries(
    LEVELS.flatMap((level) => [
      [`${level}LevelValues`, Array.from({ length: VALUES }, () => 1)],
      [`${level}Weight`, 50],
    ]),
  ),
}

/**
 * Reads a file with a configuration.
 *
 * @returns it, or what is wrong, to follow "got"
 */
export function readExposureConfig(path: string): ExposureConfig | string {
  let config: unknown
  try {
    config = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    return error instanceof SyntaxError ? 'a file that is not JSON' : "a file that can't be read"
  }
  return findProblem(config) ?? (config as ExposureConfig)
}

function findProblem(config: unknown): string | undefined {
  if (typeof config !== 'object' || config === null || Array.isArray(config))
    return 'a file with other JSON than an object'
  const fields = config as Record<string, unknown>
  if (!isWhole(fields['minimumRiskScore'], MOST.score))
    return `a file whose minimumRiskScore is no whole number from 0 to ${MOST.score}`
  for (const level of LEVELS) {
    const [values, weight] = [`${level}LevelValues`, `${level}Weight`]
    const given = fields[values]
    if (
      !Array.isArray(given) ||
      given.length !== VALUES ||
      !given.every((each) => isWhole(each, MOST.value))
    )
      return `a file whose ${values} are not ${VALUES} whole numbers from 0 to ${MOST.value}`
    if (!isWhole(fields[weight], MOST.weight))
      return `a file whose ${weight} is no whole number from 0 to ${MOST.weight}`
  }
  return undefined
}

function isWhole(value: unknown, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most
}
