// Cli: says what the rules make of a captured request; promises to change nothing, and to print no key, certificate, token or secret.

import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import type { Config } from '../config.ts'
import { TocsinError } from '../errors.ts'
import { printable } from '../format/printable.ts'
import type { OpenZones } from '../operate/open-zones.ts'
import { parseTimestamp } from '../operate/timestamp.ts'
import {
  createExplain,
  type ExplainContext,
  type ExplainedReply,
  type Explanation,
} from '../submit/explain.ts'
import { textOption, type Command, type CommandContext } from './command.ts'
import { withData } from './with-data.ts'

/** `tocsin explain-submission` */
export const explainSubmissionCommand: Command = {
  summary:
    "Says what every rule makes of a captured request (the body of a POST /v1/publish; '-' for standard input): what it would be answered, and what would become of its keys. Changes nothing.",
  usage: 'explain-submission FILE.json [--at TIME] [--api v1|v1alpha1]',
  positionals: 1,
  options: {
    at: {
      type: 'string',
      help: 'explains as if it were that moment, such as 2027-01-31T00:00Z; what is stored is that of now',
    },
    api: { type: 'string', help: 'the API that the body was sent to; default v1' },
  },
  async run(context) {
    const options = readOptions(context)
    const body = await readBody(context)
    return withData(context, async ({ zones, config, now }) => {
      const explain = createExplain(explainContext(config, zones, now))
      const explanation = await explain(body, options)
      for (const line of explanationLines(explanation)) context.print(printable(line))
      return { document: explanation }
    })
  },
}

/** What a deployment explains requests with: what it handles them with. */
export function explainContext(config: Config, zones: OpenZones, now: () => Date): ExplainContext {
  return {
    db: zones.key.db,
    masterKey: zones.masterKey,
    timeGrain: zones.timeGrain,
    clockLeewaySeconds: config.clockLeeway,
    defaultRegion: config.defaultRegion,
    partialRevisions: config.partialRevisions,
    now,
  }
}

function readOptions(context: CommandContext) {
  const api = textOption(context, 'api') ?? 'v1'
  if (api !== 'v1' && api !== 'v1alpha1')
    throw new TocsinError('usage', '--api must be v1 or v1alpha1.')
  const text = textOption(context, 'at')
  const at = text === undefined ? undefined : parseTimestamp(text)
  if (text !== undefined && at === undefined)
    throw new TocsinError('usage', '--at must be a time such as 2027-01-31T00:00Z.')
  return { api: `publish-${api}` as const, ...(at === undefined ? {} : { at }) }
}

async function readBody({ positionals: [file] }: CommandContext): Promise<Uint8Array> {
  if (file === undefined)
    throw new TocsinError(
      'usage',
      'Say which: tocsin explain-submission FILE.json, or - for standard input.',
    )
  if (file === '-') return buffer(process.stdin)
  return readFile(file).catch((cause: unknown) => {
    throw new TocsinError('target_unreadable', `The request ${file} can't be read.`, { cause })
  })
}

/** The rules one by one, the keys behind the rule that all of them are judged by, and the reply. */
function* explanationLines({ at, api, rules, keys, reply }: Explanation): Generator<string> {
  yield `As a request by ${api} at ${at}:`
  for (const { rule, verdict, says, subCode } of rules) {
    const kind = subCode === undefined ? '' : ` (${subCode})`
    yield `  ${verdict.replace('_', ' ').padEnd(11)}  ${rule}${kind}: ${says}`
    if (rule !== 'keys') continue
    for (const key of keys)
      yield `    key ${key.key} (sent as ${key.sent}; start ${key.rollingStart}, period ${key.rollingPeriod}): ${key.verdict}: ${key.says}`
  }
  yield `Reply: ${describeReply(reply)}`
}

function describeReply(reply: ExplainedReply): string {
  const { status, code, subCode, error, warnings = [], insertedExposures = 0 } = reply
  return [
    `${status}${code === undefined ? '' : ` ${code}`}${subCode === undefined ? '' : ` (${subCode})`}`,
    ...(status === 200 ? [`${insertedExposures} inserted`] : []),
    ...(reply.tokenCovers === undefined
      ? []
      : [`a revision token that covers ${reply.tokenCovers}`]),
    ...(reply.repeats === undefined ? [] : [`as the report ${reply.repeats} got it`]),
    ...(error === undefined ? [] : [error]),
    ...warnings,
  ].join('; ')
}
