// Cli: the protocols that a town can live by; promises that a town, its days and its judge are the same for each.

import { TocsinError } from '../errors.ts'
import { KINDS, type Kind } from '../kinds.ts'
import type { TownPhone } from './town-phones.ts'
import type { PhoneService } from './phone-client.ts'
import type { Town } from './town.ts'

/** How the phones of a town broadcast, upload and are warned. */
export interface TownProtocol {
  /** The kind of its stream. */
  readonly kind: string
  /** What the service is configured with beside the rest. */
  readonly settings: Readonly<Record<string, string>>
  /** What its stream says beyond what every one does; left out for nothing. */
  readonly streamSettings?: Readonly<Record<string, unknown>>
  /** What is downloaded, in the plural. */
  readonly unit: string
  makePhones(count: number, service: PhoneService): Promise<TownPhone[]>
  /** A day of the town: who met heard each other. */
  letHear(town: Town, day: number, phones: readonly TownPhone[]): void
}

/** The names of kinds whose phones can live in a town, as the option takes them. */
export function protocolNames(kinds: readonly Kind[] = KINDS): string[] {
  return kinds.filter(({ town }) => town !== undefined).map(({ name }) => name)
}

/** @throws TocsinError `usage` */
export async function protocolOf(
  name: string,
  kinds: readonly Kind[] = KINDS,
): Promise<TownProtocol> {
  const protocol = await kinds.find((kind) => kind.name === name)?.town?.()
  if (protocol !== undefined) return protocol
  throw new TocsinError('usage', `--protocol must be one of ${protocolNames(kinds).join(', ')}.`)
}
