// Submit: the environment variables of uploads in ct-diag-server's forms; promises that nothing is taken for a setting that it is not.

/** What may prove an upload. */
export const PROOFS = ['certificate', 'code', 'none'] as const

/** One of {@link PROOFS}. */
export type Proof = (typeof PROOFS)[number]

const text = (help: string) => ({
  help,
  expected: '1 to 200 printable characters without spaces',
  parse: (given: string) => (/^[\x21-\x7e]{1,200}$/.test(given) ? given : undefined),
})

const recordCount = (help: string, most: number) => ({
  help,
  expected: `a whole number from 1 to ${most}`,
  parse: (given: string) =>
    /^\d{1,3}$/.test(given) && Number(given) >= 1 && Number(given) <= most
      ? Number(given)
      : undefined,
})

/** The variables. */
export const CTDIAG_VARIABLES = {
  TOCSIN_CTDIAG_UPLOADS: {
    help: 'what uploads to /diagnosis-keys must bring, one of: certificate, code, none (self-reported), with commas between; default certificate',
    expected: 'one or more of certificate, code, none, with commas between',
    parse: (given: string): readonly Proof[] | undefined => {
      const names = given.split(',').map((name) => name.trim())
      const proofs = PROOFS.filter((proof) => names.includes(proof))
      return proofs.length === names.length ? proofs : undefined
    },
  },
  TOCSIN_CTDIAG_APP: text(
    'app (healthAuthorityID) whose health authority vouches for uploads to /diagnosis-keys',
  ),
  TOCSIN_CTDIAG_REALM: text('realm whose codes are taken at /diagnosis-keys'),
  TOCSIN_CTDIAG_MAX_KEYS: recordCount('records in an upload to /diagnosis-keys; default 14', 30),
  TOCSIN_CTDIAG_V0_MAX_KEYS: recordCount(
    'records in an upload to /v0/diagnosis-keys; default 60',
    60,
  ),
} as const

/** How uploads are taken. */
export interface CtdiagUploadSettings {
  readonly proofs: readonly Proof[]
  /** Empty when there is none. */
  readonly app: string
  readonly realm: string
  readonly maxKeys: { readonly ctdiag: number; readonly 'ctdiag-v0': number }
}

/** The settings that follow from what was given. @param given values of {@link CTDIAG_VARIABLES} by name */
export function ctdiagUploadSettings(given: ReadonlyMap<string, unknown>): CtdiagUploadSettings {
  type Values = {
    [Name in keyof typeof CTDIAG_VARIABLES]?: ReturnType<(typeof CTDIAG_VARIABLES)[Name]['parse']>
  }
  const values = Object.fromEntries(given) as Values
  return {
    proofs: values.TOCSIN_CTDIAG_UPLOADS ?? ['certificate'],
    app: values.TOCSIN_CTDIAG_APP ?? '',
    realm: values.TOCSIN_CTDIAG_REALM ?? '',
    maxKeys: {
      ctdiag: values.TOCSIN_CTDIAG_MAX_KEYS ?? 14,
      'ctdiag-v0': values.TOCSIN_CTDIAG_V0_MAX_KEYS ?? 60,
    },
  }
}

/** What is wrong with the values together. */
export function ctdiagProblems(given: ReadonlyMap<string, unknown>) {
  const { proofs, realm, app } = ctdiagUploadSettings(given)
  if (!proofs.includes('code')) return []
  const needed = [
    [realm, 'TOCSIN_CTDIAG_REALM', 'the realm whose codes are taken'],
    [
      app,
      'TOCSIN_CTDIAG_APP',
      'the app of the health authority that has the certificates of that realm',
    ],
  ] as const
  return needed
    .filter(([value]) => value === '')
    .map(([, name, what]) => ({
      name: 'TOCSIN_CTDIAG_UPLOADS',
      given: `code, without ${name}`,
      expected: `${name} as well: ${what}`,
    }))
}
