// Submit: the environment variables of uploads of contact event numbers; promises that nothing is taken for a setting that it is not, and that no secret shows itself.

import { BlockList, isIP, isIPv6 } from 'node:net'
import { Secret } from '../operate/secret.ts'

/** What may let an upload in. */
export const CEN_UPLOADS = ['certificate', 'code', 'location', 'trust', 'shared-secret'] as const

/** One of {@link CEN_UPLOADS}. */
export type CenUpload = (typeof CEN_UPLOADS)[number]

/** Addresses that uploads may come from. */
export interface Locations {
  /** As they were given. */
  toString(): string
  /** @param address IPv4 or IPv6 in its plain form; anything else is in none */
  includes(address: string): boolean
}

const text = (help: string) => ({
  help,
  expected: '1 to 200 printable characters without spaces',
  parse: (given: string) => (/^[\x21-\x7e]{1,200}$/.test(given) ? given : undefined),
})

/** The variables. */
export const CEN_VARIABLES = {
  TOCSIN_CEN_UPLOADS: {
    help: 'what lets uploads of contact event numbers in, one of: certificate, code, location, trust, shared-secret, with commas between; default certificate, and code when TOCSIN_CEN_REALM is set',
    expected:
      'one or more of certificate, code, location, trust, shared-secret, with commas between',
    parse: (given: string): readonly CenUpload[] | undefined => {
      const names = given.split(',').map((name) => name.trim())
      const uploads = CEN_UPLOADS.filter((upload) => names.includes(upload))
      return uploads.length === names.length ? uploads : undefined
    },
  },
  TOCSIN_CEN_APP: text(
    'app (healthAuthorityID) whose health authority vouches for contact event numbers, and whose regions they have',
  ),
  TOCSIN_CEN_REALM: text('realm whose codes are taken as permission numbers'),
  TOCSIN_CEN_LOCATIONS: {
    help: 'addresses from which uploads of contact event numbers are let in by location, such as those of clinics: 192.0.2.0/24, 2001:db8::/32, with commas between',
    expected: 'ranges such as 192.0.2.0/24 or 2001:db8::/32, or addresses, with commas between',
    parse: parseLocations,
  },
  TOCSIN_CEN_DAILY_CAP: {
    help: 'reports of contact event numbers that nobody vouched for, a day (UTC) and trust level; default 1000',
    expected: 'a whole number from 0 to 10000000',
    parse: (given: string) =>
      /^\d{1,8}$/.test(given) && Number(given) <= 10_000_000 ? Number(given) : undefined,
  },
  TOCSIN_CEN_SHARED_SECRET: {
    help: 'secret that every phone sends to POST /api/interaction as X-App-Secret-Key',
    expected: '8 to 500 printable characters',
    secret: true,
    parse: parseSharedSecret,
  },
  TOCSIN_CEN_SHARED_SECRET_FILE: text('file that holds that secret'),
} as const

/** A secret, or undefined when the text is too short to be one. */
export function parseSharedSecret(given: string): Secret | undefined {
  return /^[\x20-\x7e]{8,500}$/.test(given) ? new Secret(given) : undefined
}

/** Ranges of addresses, with commas between; undefined when the text is none. */
export function parseLocations(given: string): Locations | undefined {
  const ranges = new BlockList()
  for (const range of given.split(',')) {
    const [, address = '', bits] = /^\s*([0-9a-f.:]+)(?:\/(\d{1,3}))?\s*$/i.exec(range) ?? []
    const version = isIP(address)
    const most = version === 4 ? 32 : 128
    const length = Number(bits ?? most)
    if (version === 0 || length > most) return undefined
    ranges.addSubnet(address, length, version === 4 ? 'ipv4' : 'ipv6')
  }
  return {
    toString: () => given,
    includes(address) {
      const version = isIP(address)
      if (version === 0) return false
      if (isIPv6(address)) return ranges.check(address, 'ipv6')
      // A range may be written as those of IPv6 that stand for IPv4.
      return ranges.check(address, 'ipv4') || ranges.check(`::ffff:${address}`, 'ipv6')
    },
  }
}

/** How uploads are taken. */
export interface CenSettings {
  readonly uploads: readonly CenUpload[]
  /** Empty when there is none. */
  readonly app: string
  readonly realm: string
  readonly locations: Locations | undefined
  readonly dailyCap: number
  readonly sharedSecret: Secret | undefined
  /** Where it stands, when it is not given itself. */
  readonly sharedSecretFile: string | undefined
}

/** The settings that follow from what was given. @param given values of {@link CEN_VARIABLES} by name */
export function cenSettings(given: ReadonlyMap<string, unknown>): CenSettings {
  type Values = {
    [Name in keyof typeof CEN_VARIABLES]?: ReturnType<(typeof CEN_VARIABLES)[Name]['parse']>
  }
  const values = Object.fromEntries(given) as Values
  const realm = values.TOCSIN_CEN_REALM ?? ''
  return {
    uploads:
      values.TOCSIN_CEN_UPLOADS ?? (realm === '' ? ['certificate'] : ['certificate', 'code']),
    app: values.TOCSIN_CEN_APP ?? '',
    realm,
    locations: values.TOCSIN_CEN_LOCATIONS,
    dailyCap: values.TOCSIN_CEN_DAILY_CAP ?? 1_000,
    sharedSecret: values.TOCSIN_CEN_SHARED_SECRET,
    sharedSecretFile: values.TOCSIN_CEN_SHARED_SECRET_FILE,
  }
}

/** What is wrong with the values together. */
export function cenProblems(given: ReadonlyMap<string, unknown>) {
  const { uploads, app, realm, locations, sharedSecret, sharedSecretFile } = cenSettings(given)
  const needed = [
    { upload: 'code', isSaid: realm !== '', name: 'TOCSIN_CEN_REALM' },
    { upload: 'code', isSaid: app !== '', name: 'TOCSIN_CEN_APP' },
    { upload: 'location', isSaid: locations !== undefined, name: 'TOCSIN_CEN_LOCATIONS' },
    {
      upload: 'shared-secret',
      isSaid: sharedSecret !== undefined || sharedSecretFile !== undefined,
      name: 'TOCSIN_CEN_SHARED_SECRET_FILE',
    },
  ] as const
  return needed
    .filter(({ upload, isSaid }) => uploads.includes(upload) && !isSaid)
    .map(({ upload, name }) => ({
      name: 'TOCSIN_CEN_UPLOADS',
      given: `${upload}, without ${name}`,
      expected: `${name} as well`,
    }))
}
