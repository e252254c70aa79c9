// Build: makes the two packages that are published, the server and the client; promises the same files for the same sources.

import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const ROOT = join(import.meta.dirname, '..')

interface PackageJson {
  readonly version: string
  readonly files: readonly string[]
  readonly imports: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly devDependencies?: unknown
  readonly scripts?: unknown
  readonly private?: unknown
  readonly [field: string]: unknown
}

const PACKAGE = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as PackageJson

/** The server: what was compiled lies in dist/ as the sources lie in src/, so that paths between them stay the same. */
function buildServer(folder: string): void {
  const { devDependencies: _, scripts: __, private: ___, ...kept } = PACKAGE
  startPackage(folder, { ...kept, imports: compiledImports('./dist/') })
  compile(['src'], join(folder, 'dist'))
  // npm takes what this list names; dist was compiled, the rest is copied.
  for (const name of PACKAGE.files) if (name !== 'dist') copy(name, folder)
}

/** The client: `format` and `verify`, nothing else. */
function buildClient(folder: string): void {
  const { version, license, type } = PACKAGE
  const entry = { types: './verify/client.d.ts', default: './verify/client.js' }
  startPackage(folder, {
    name: 'tocsin-client',
    version,
    description:
      'Follows, verifies and matches exposure notification keys, in browsers and Node.js.',
    license,
    type,
    sideEffects: false,
    exports: { '.': entry, './format/*': { types: './format/*.d.ts', default: './format/*.js' } },
    imports: compiledImports('./'),
  })
  compile(['src/format', 'src/verify'], folder)
  copy('LICENSE', folder)
  copy('CHANGELOG.md', folder)
  copy('docs/client.md', folder, 'README.md')
}

function startPackage(folder: string, packageJson: object): void {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(packageJson, null, 2)}\n`)
}

/** Conditional imports, as they are after compilation. */
function compiledImports(target: string): Record<string, Record<string, string>> {
  return Object.fromEntries(
    Object.entries(PACKAGE.imports).map(([name, conditions]) => [
      name,
      Object.fromEntries(
        Object.entries(conditions).map(([condition, path]) => [
          condition,
          path.replace('./src/', target).replace(/\.ts$/, '.js'),
        ]),
      ),
    ]),
  )
}

/** Compiles folders below src/, without their tests, to JavaScript and types. Fails when the types do. */
function compile(folders: readonly string[], output: string): void {
  const config = join(output, 'tsconfig.json')
  mkdirSync(output, { recursive: true })
  const settings = {
    extends: join(ROOT, 'tsconfig.json'),
    compilerOptions: {
      noEmit: false,
      rewriteRelativeImportExtensions: true,
      declaration: true,
      rootDir: join(ROOT, 'src'),
      outDir: output,
      typeRoots: [join(ROOT, 'node_modules/@types')],
    },
    include: folders.map((folder) => join(ROOT, folder)),
    exclude: [join(ROOT, 'src/**/*.test.ts')],
  }
  writeFileSync(config, JSON.stringify(settings))
  try {
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
    execFileSync(process.execPath, [tsc, '-p', config], { stdio: ['ignore', 'inherit', 'inherit'] })
  } finally {
    rmSync(config)
  }
}

function copy(name: string, folder: string, as = name): void {
  const source = join(ROOT, name)
  if (existsSync(source)) cpSync(source, join(folder, as), { recursive: true })
}

const PACKAGES: Readonly<Record<string, (folder: string) => void>> = {
  tocsin: buildServer,
  'tocsin-client': buildClient,
}

const { values } = parseArgs({
  options: { out: { type: 'string', default: join(ROOT, 'dist') }, only: { type: 'string' } },
})
const names = values.only === undefined ? Object.keys(PACKAGES) : [values.only]
for (const name of names) {
  const build = PACKAGES[name]
  if (build === undefined)
    throw new RangeError(`There is no package ${name}: ${Object.keys(PACKAGES).join(' or ')}.`)
  const folder = resolve(values.out, name)
  build(folder)
  console.log(`${name}  ${folder}`)
}
