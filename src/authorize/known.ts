// Authorize: what requests are judged by, from memory: realms, providers, API keys, handles; promises that a change counts within a second.

import type { Database } from '../db/database.ts'
import { TocsinError } from '../errors.ts'
import { watchConfiguration } from '../log/watch-configuration.ts'
import { listApiKeys, type StoredApiKey } from './api-keys.ts'
import { listHandlesInUse, type IssuerHandle } from './handles.ts'
import { listProviders, type Provider } from './providers.ts'
import { listRealms, type Realm } from './realms.ts'
import { listSigningKeys, type SigningKey } from './signing-keys.ts'
import { nameProvider } from './zone.ts'

/** The configuration of the authority zone. */
export interface Known {
  readonly realms: ReadonlyMap<string, Realm>
  /** By {@link nameProvider}. */
  readonly providers: ReadonlyMap<string, Provider>
  /** By prefix. */
  readonly apiKeys: ReadonlyMap<string, StoredApiKey>
  /** Of the codes that are in no batch, by {@link nameProvider}. */
  readonly handles: ReadonlyMap<string, IssuerHandle>
  readonly signingKeys: readonly SigningKey[]
}

/** Gives the configuration. @throws TocsinError `unavailable` */
export type Knowledge = (isEnough?: (known: Known) => boolean) => Promise<Known>

/** @param monotonicMs a clock that never goes back, in milliseconds */
export function createKnowledge(db: Database, monotonicMs: () => number): Knowledge {
  return watchConfiguration(db, () => readKnown(db), monotonicMs)
}

async function readKnown(db: Database): Promise<Known> {
  const [realms, providers, apiKeys, handles, signingKeys] = await Promise.all([
    listRealms(db),
    listProviders(db, null),
    listApiKeys(db, null),
    listHandlesInUse(db),
    listSigningKeys(db, null, null),
  ])
  return {
    realms: new Map(realms.map((realm) => [realm.name, realm])),
    providers: new Map(providers.map((each) => [nameProvider(each.realm, each.name), each])),
    apiKeys: new Map(apiKeys.map((key) => [key.prefix, key])),
    signingKeys,
    handles: new Map(handles.map((each) => [nameProvider(each.realm, each.provider), each])),
  }
}

/** @throws TocsinError `unauthorized`: whoever asks has a key of a realm, so there is one */
export function knownRealm({ realms }: Known, name: string): Realm {
  const realm = realms.get(name)
  if (realm === undefined) throw new TocsinError('unauthorized')
  return realm
}

/** Whether a provider's codes count. */
export function isActive({ providers }: Known, realm: string, provider: string | null): boolean {
  return provider === null || providers.get(nameProvider(realm, provider))?.state === 'active'
}
