// Cli: the protocols that a town can live by; promises that a town, its days and its judge are the same for each.

import { TocsinError } from '../errors.ts'
import { CEN_PROTOCOL } from './town-cen.ts'
import { CTDIAG_PROTOCOL } from './town-ctdiag.ts'
import { GAEN_PROTOCOL, type TownPhone } from './town-phones.ts'
import type { PhoneService } from './phone-client.ts'
import type { Town } from './town.ts'

/** How the phones of a town broadcast, upload and are warned. */
export interface TownProtocol {
  /** The kind of its stream. */
  readonly kind: string
  /** What the service is configured with beside the rest. */
  readonly settings: Readonly<Record<string, string>>
  /** What is downloaded, in the plural. */
  readonly unit: string
  makePhones(count: number, service: PhoneService): Promise<TownPhone[]>
  /** A day of the town: who met heard each other. */
  letHear(town: Town, day: number, phones: readonly TownPhone[]): void
}

const PROTOCOLS: Readonly<Record<string, TownProtocol>> = {
  gaen: GAEN_PROTOCOL,
  ctdiag: CTDIAG_PROTOCOL,
  cen: CEN_PROTOCOL,
}

/** The names, as the option takes them. */
export const PROTOCOL_NAMES = Object.keys(PROTOCOLS)

/** @throws TocsinError `usage` */
export function protocolOf(name: string): TownProtocol {
  const protocol = Object.hasOwn(PROTOCOLS, name) ? PROTOCOLS[name] : undefined
  if (protocol !== undefined) return protocol
  throw new TocsinError('usage', `--protocol must be one of ${PROTOCOL_NAMES.join(', ')}.`)
}
