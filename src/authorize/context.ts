// Authorize: what its three requests need; promises that secrets are unwrapped once a process.

import type { KeyObject } from 'node:crypto'
import { zoneSecret } from '../db/zone-secrets.ts'
import type { Projection } from '../log/projection.ts'
import { apiKeyProjection } from './api-keys.ts'
import { codeProjection } from './codes.ts'
import { drawCode, type DrawnCode } from './draw-code.ts'
import { createJwtSigner, type JwtSigner } from './jwt.ts'
import {
  importKey,
  loadCertificateKey,
  makePrivateKey,
  realmProjection,
  type Realm,
} from './realms.ts'
import { createTokens, type Tokens } from './tokens.ts'
import { openMac, type AuthorityZone, type Mac } from './zone.ts'

/** Every table of the authority zone that follows from events. */
export const authorityProjections: readonly Projection[] = [
  realmProjection,
  apiKeyProjection,
  codeProjection,
]

/** What a request needs of the authority zone. */
export interface AuthorizeContext extends Pick<AuthorityZone, 'db' | 'writer'> {
  readonly mac: Mac
  readonly tokens: Tokens
  /** What signs a realm's certificates. @throws TocsinError `signing_key_invalid` */
  readonly certificateSigner: (realm: Realm) => Promise<JwtSigner>
  /** Chance. */
  readonly drawCode: () => DrawnCode
  readonly now: () => Date
}

/**
 * Prepares the authority zone for requests; makes the secrets that are missing.
 *
 * @param tokenIssuer `iss` and `aud` of tokens
 */
export async function openAuthorize(
  zone: AuthorityZone,
  tokenIssuer: string,
  now: () => Date,
): Promise<AuthorizeContext> {
  const tokenKey = await zoneSecret(zone.db, zone.masterKey, 'token key', makePrivateKey)
  const signers = new Map<string, Promise<JwtSigner>>()
  return {
    db: zone.db,
    writer: zone.writer,
    mac: await openMac(zone.db, zone.masterKey),
    tokens: createTokens(importKey(tokenKey), tokenIssuer),
    certificateSigner(realm) {
      const loading =
        signers.get(realm.kid) ?? loadCertificateKey(zone, realm).then(signerOf(realm))
      signers.set(realm.kid, loading)
      // A failure is tried again with the next request.
      loading.catch(() => signers.delete(realm.kid))
      return loading
    },
    drawCode,
    now,
  }
}

function signerOf(realm: Realm): (key: KeyObject) => JwtSigner {
  return (key) => createJwtSigner(key, realm.kid)
}
