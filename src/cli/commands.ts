// Cli: the one table of commands; promises that a command's code is loaded only when it runs.

import type { Command } from './command.ts'
import { CORRECTION_COMMANDS } from './correction-commands.ts'

/** A row of the table. */
export interface CommandRow {
  readonly summary: string
  load(): Promise<Command>
}

/** Every command, by the words that name it. */
export const COMMANDS: Readonly<Record<string, CommandRow>> = {
  start: {
    summary: 'serves everything on one port',
    load: async () => (await import('./start.ts')).startCommand,
  },
  demo: {
    summary: 'a simulated town: from positive tests to warned phones',
    load: async () => (await import('./demo.ts')).demoCommand,
  },
  'try-upload': {
    summary: 'uploads made-up keys to a demo as a phone does',
    load: async () => (await import('./try-upload.ts')).tryUploadCommand,
  },
  'check-config': {
    summary: 'every problem of the configuration at once',
    load: async () => (await import('./check-config.ts')).checkConfigCommand,
  },
  keygen: {
    summary: 'makes a signing key',
    load: async () => (await import('./keygen.ts')).keygenCommand,
  },
  'authority add': {
    summary: 'registers a health authority whose certificates are accepted',
    load: async () => (await import('./authority.ts')).authorityAddCommand,
  },
  'authority list': {
    summary: 'lists the health authorities',
    load: async () => (await import('./authority.ts')).authorityListCommand,
  },
  'authority disable': {
    summary: 'refuses the certificates of a health authority from now on',
    load: async () => (await import('./authority.ts')).authorityDisableCommand,
  },
  'authority enable': {
    summary: 'accepts the certificates of a disabled health authority again',
    load: async () => (await import('./authority.ts')).authorityEnableCommand,
  },
  'authority key': {
    summary: 'adds, revokes or reinstates a public key of a health authority',
    load: async () => (await import('./authority-key.ts')).authorityKeyCommand,
  },
  'authority jwks': {
    summary: 'changes or removes the address of public keys of a health authority',
    load: async () => (await import('./authority-jwks.ts')).authorityJwksCommand,
  },
  'stream add': {
    summary: 'adds a stream of signed files',
    load: async () => (await import('./stream-add.ts')).streamAddCommand,
  },
  'stream list': {
    summary: 'lists the streams',
    load: async () => (await import('./stream-list.ts')).streamListCommand,
  },
  'stream update': {
    summary: 'changes a stream, its signing keys among it',
    load: async () => (await import('./stream-update.ts')).streamUpdateCommand,
  },
  'stream retire': {
    summary: 'ends a stream; its files stay until their time',
    load: async () => (await import('./stream-retire.ts')).streamRetireCommand,
  },
  publish: {
    summary: 'makes the releases that are due',
    load: async () => (await import('./publish.ts')).publishCommand,
  },
  'store check': {
    summary: 'compares the published files with the log, and mends them',
    load: async () => (await import('./store.ts')).storeCheckCommand,
  },
  explain: {
    summary: 'why a key is not out yet, or where it is',
    load: async () => (await import('./explain.ts')).explainCommand,
  },
  report: {
    summary: 'the life of one report: where it is, what became of it',
    load: async () => (await import('./report.ts')).reportCommand,
  },
  'operator add': {
    summary: 'adds somebody who may look at reports or correct them',
    load: async () => (await import('./operator.ts')).operatorAddCommand,
  },
  'operator list': {
    summary: 'lists the operators',
    load: async () => (await import('./operator.ts')).operatorListCommand,
  },
  'operator revoke': {
    summary: 'refuses the API key of an operator from now on',
    load: async () => (await import('./operator.ts')).operatorRevokeCommand,
  },
  verify: {
    summary: 'checks published files: signatures, digests, continuity',
    load: async () => (await import('./verify.ts')).verifyCommand,
  },
  analyze: {
    summary: 'what an export file gives away: counts, charts, conclusions',
    load: async () => (await import('./analyze.ts')).analyzeCommand,
  },
  'explain-submission': {
    summary: 'what the rules make of a captured request',
    load: async () => (await import('./explain-submission.ts')).explainSubmissionCommand,
  },
  recover: {
    summary: 'rebuilds the database from the archive',
    load: async () => (await import('./recover.ts')).recoverCommand,
  },
  drill: {
    summary: 'recovers into a throw-away database, and compares',
    load: async () => (await import('./drill.ts')).drillCommand,
  },
  'secrets export': {
    summary: 'backs up the secrets, wrapped under the master key',
    load: async () => (await import('./secrets.ts')).secretsExportCommand,
  },
  'log verify': {
    summary: 'checks the log, its tree and every table against each other; or an archive',
    load: async () => (await import('./log.ts')).logVerifyCommand,
  },
  'archive status': {
    summary: 'how far the logs are archived, and what the archive lacks',
    load: async () => (await import('./archive.ts')).archiveStatusCommand,
  },
  'archive now': {
    summary: 'archives what is not archived yet',
    load: async () => (await import('./archive.ts')).archiveNowCommand,
  },
  'archive snapshot': {
    summary: 'makes a snapshot of the logs, and drops what it makes superfluous',
    load: async () => (await import('./archive.ts')).archiveSnapshotCommand,
  },
  'realm add': {
    summary: 'adds a realm of the authority zone',
    load: async () => (await import('./realm.ts')).realmAddCommand,
  },
  'realm list': {
    summary: 'lists the realms',
    load: async () => (await import('./realm.ts')).realmListCommand,
  },
  'realm show': {
    summary: 'a realm: its settings, and what may still be issued today',
    load: async () => (await import('./realm.ts')).realmShowCommand,
  },
  'realm set': {
    summary: 'changes settings of a realm',
    load: async () => (await import('./realm.ts')).realmSetCommand,
  },
  'realm allow-extra': {
    summary: 'allows a realm more codes today than its quota',
    load: async () => (await import('./allow-extra.ts')).realmAllowExtraCommand,
  },
  'realm stats-token': {
    summary: "signs a token for a key server's statistics",
    load: async () => (await import('./stats-token.ts')).realmStatsTokenCommand,
  },
  'realm gateway-secret': {
    summary: 'makes the secret shared with the gateway for texts',
    load: async () => (await import('./gateway-secret.ts')).gatewaySecretCommand,
  },
  'provider add': {
    summary: 'adds a provider to a realm',
    load: async () => (await import('./provider.ts')).providerAddCommand,
  },
  'provider set': {
    summary: 'renames, suspends, closes or reopens a provider',
    load: async () => (await import('./provider.ts')).providerSetCommand,
  },
  'provider list': {
    summary: 'lists the providers',
    load: async () => (await import('./provider.ts')).providerListCommand,
  },
  'provider invalidate-codes': {
    summary: 'invalidates all codes of a provider',
    load: async () => (await import('./provider.ts')).providerInvalidateCommand,
  },
  'staff add': {
    summary: 'adds a member of staff to a realm',
    load: async () => (await import('./staff.ts')).staffAddCommand,
  },
  'staff set': {
    summary: 'changes a member of staff',
    load: async () => (await import('./staff.ts')).staffSetCommand,
  },
  'staff list': {
    summary: 'lists the staff',
    load: async () => (await import('./staff.ts')).staffListCommand,
  },
  'api-key add': {
    summary: 'makes an API key of a realm, shown once',
    load: async () => (await import('./api-key.ts')).apiKeyAddCommand,
  },
  'api-key list': {
    summary: 'lists API keys and their last use',
    load: async () => (await import('./api-key.ts')).apiKeyListCommand,
  },
  'api-key revoke': {
    summary: 'refuses an API key from now on',
    load: async () => (await import('./api-key.ts')).apiKeyRevokeCommand,
  },
  'app set': {
    summary: 'adds or replaces an app that links open',
    load: async () => (await import('./mobile-app.ts')).appSetCommand,
  },
  'app list': {
    summary: 'lists the apps of a realm',
    load: async () => (await import('./mobile-app.ts')).appListCommand,
  },
  'app remove': {
    summary: 'removes an app from a realm',
    load: async () => (await import('./mobile-app.ts')).appRemoveCommand,
  },
  'batch make': {
    summary: 'makes a batch of paper codes and its cards',
    load: async () => (await import('./batch.ts')).batchMakeCommand,
  },
  'batch list': {
    summary: 'lists batches and the states of their codes',
    load: async () => (await import('./batch.ts')).batchListCommand,
  },
  'batch invalidate': {
    summary: 'invalidates the codes of a batch',
    load: async () => (await import('./batch.ts')).batchInvalidateCommand,
  },
  'code status': {
    summary: 'what became of a code',
    load: async () => (await import('./code.ts')).codeStatusCommand,
  },
  'code expire': {
    summary: 'ends a code that nobody has claimed',
    load: async () => (await import('./code.ts')).codeExpireCommand,
  },
  'code activate': {
    summary: 'activates the code on a card',
    load: async () => (await import('./code.ts')).codeActivateCommand,
  },
  'code invalidate': {
    summary: 'invalidates one code',
    load: async () => (await import('./code.ts')).codeInvalidateCommand,
  },
  'key list': {
    summary: 'lists the keys that sign certificates and texts',
    load: async () => (await import('./signing-keys.ts')).keyListCommand,
  },
  'key rotate': {
    summary: 'makes the key that follows the one in use',
    load: async () => (await import('./signing-keys.ts')).keyRotateCommand,
  },
  'key destroy': {
    summary: 'destroys a signing key that is used no more',
    load: async () => (await import('./signing-keys.ts')).keyDestroyCommand,
  },
  ...CORRECTION_COMMANDS,
  'withdrawal list': {
    summary: 'lists the signed orders to withdraw reports',
    load: async () => (await import('./withdrawal.ts')).withdrawalListCommand,
  },
  'withdrawal show': {
    summary: 'prints a signed order, for the key server',
    load: async () => (await import('./withdrawal.ts')).withdrawalShowCommand,
  },
  'withdrawal deliver': {
    summary: 'hands an order to the key server now',
    load: async () => (await import('./withdrawal.ts')).withdrawalDeliverCommand,
  },
}

/** The command that the first one or two words name, and how many they were. */
export function findCommand(
  args: readonly string[],
): (CommandRow & { readonly words: number }) | undefined {
  for (const words of [2, 1]) {
    const name = args.slice(0, words).join(' ')
    // Every object has words such as `constructor` beside its own.
    const row = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
    if (row !== undefined && args.length >= words) return { ...row, words }
  }
  return undefined
}
