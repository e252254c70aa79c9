// Cli: one upload to a demo, step by step; promises to show every request that a real phone makes.

import { randomBytes } from 'node:crypto'
import { TocsinError } from '../errors.ts'
import { INTERVALS_PER_DAY } from '../format/intervals.ts'
import { systemClock } from '../operate/clock.ts'
import { textOption, type Command } from './command.ts'
import { readDemoKeys } from './demo-deployment.ts'
import { issueCode, uploadKeys, verifyCode, type PhoneKey } from './phone-client.ts'

const DAYS = 14

/** `tocsin try-upload` */
export const tryUploadCommand: Command = {
  summary: `Uploads ${DAYS} made-up keys to a demo as a phone does: code, token, certificate, keys.`,
  usage: 'try-upload [URL] [--keys FILE]',
  positionals: 1,
  options: {
    keys: {
      type: 'string',
      help: "file with the demo's API keys; default data/demo-api-keys.json",
    },
  },
  async run(context) {
    const url = (context.positionals[0] ?? 'http://127.0.0.1:8080').replace(/\/+$/, '')
    if (!URL.canParse(url)) throw new TocsinError('usage', `"${url}" is no URL.`)
    const file = textOption(context, 'keys') ?? 'data/demo-api-keys.json'
    const demoKeys = await readDemoKeys(file)
    if (demoKeys === undefined)
      throw new TocsinError('usage', `There are no API keys in ${file}: only a demo has them.`)
    const service = { url, ...demoKeys }
    const now = systemClock.now()
    const fourDaysAgo = new Date(now.getTime() - 4 * 86_400_000).toISOString().slice(0, 10)
    const code = await issueCode(service, 'confirmed', fourDaysAgo)
    context.print(`POST /api/issue        the doctor's system got the code ${code}`)
    const token = await verifyCode(service, code)
    context.print(`POST /api/verify       the phone got a token: ${token.slice(0, 40)}...`)
    const answer = await uploadKeys(service, token, makeKeys(now), (step) =>
      context.print(`POST /api/certificate  the phone got a ${step}`),
    )
    context.print(
      `POST /v1/publish       ${answer.insertedExposures} keys are durable; tracking id ${answer.trackingId}`,
    )
    return { document: answer }
  },
}

/** A key for each of the last days, none of them still valid: those would be kept back until they end. */
function makeKeys(now: Date): PhoneKey[] {
  const today = Math.floor(now.getTime() / 86_400_000) * INTERVALS_PER_DAY
  return Array.from({ length: DAYS }, (_, index) => ({
    keyData: randomBytes(16),
    rollingStart: today - (index + 1) * INTERVALS_PER_DAY,
    rollingPeriod: INTERVALS_PER_DAY,
  }))
}
