// Authorize: bodies of the admin API, described once for their parser and for the OpenAPI document; promises to refuse, with a sentence, every field that is unknown, missing or no such value.

import { TocsinError } from '../errors.ts'
import { parseJsonObject } from '../operate/read-json.ts'

/** JSON Schema, as OpenAPI 3.1 takes it. */
type Schema = Readonly<Record<string, unknown>>

/** What a field takes. */
export interface Field<Value> {
  readonly schema: Schema
  /** Whether `null` is a value; elsewhere it is as good as leaving the field out. */
  readonly nullable: boolean
  /** @throws TocsinError `bad_request` */
  read(value: unknown, name: string): Value
}

type Fields = Readonly<Record<string, Field<unknown>>>

type ValuesOf<Some extends Fields> = {
  readonly [Name in keyof Some]: Some[Name] extends Field<infer Value> ? Value : never
}

/** A body. */
export interface BodyShape<Body> {
  readonly schema: Schema
  /** @throws TocsinError `bad_request` */
  read(bytes: Uint8Array): Body
}

/** A body with these fields; what was left out of the optional ones is no member of what is read. */
export function bodyOf<Needed extends Fields, Optional extends Fields>(
  needed: Needed,
  optional: Optional,
): BodyShape<ValuesOf<Needed> & Partial<ValuesOf<Optional>>> {
  const fields: Fields = { ...needed, ...optional }
  const known = new Set(Object.keys(fields).map((name) => name.toLowerCase()))
  return {
    schema: {
      ...objectSchema(fields, Object.keys(needed)),
      additionalProperties: false,
    },
    read(bytes) {
      const { values } = parseJsonObject(bytes, known, 'bad_request')
      const body: Record<string, unknown> = {}
      for (const [name, field] of Object.entries(fields)) {
        const value = values.get(name.toLowerCase()) ?? null
        const isGiven = values.has(name.toLowerCase()) && (value !== null || field.nullable)
        if (isGiven) body[name] = field.read(value, name)
        else if (Object.hasOwn(needed, name)) throw refusal(`${name} is needed.`)
      }
      return body as ReturnType<ReturnType<typeof bodyOf<Needed, Optional>>['read']>
    },
  }
}

/** A body whose fields are judged by whoever takes them; `null` stays what it is. */
export function looseBodyOf(
  properties: Readonly<Record<string, Schema>>,
  required: readonly string[],
): BodyShape<Readonly<Record<string, unknown>>> {
  const names = Object.keys(properties)
  const known = new Set(names.map((name) => name.toLowerCase()))
  return {
    schema: { type: 'object', required, properties, additionalProperties: false },
    read(bytes) {
      const { values } = parseJsonObject(bytes, known, 'bad_request')
      const given = names.filter((name) => values.has(name.toLowerCase()))
      const body = given.map((name) => [name, values.get(name.toLowerCase()) ?? null] as const)
      for (const [name, value] of body) refuseBroken(value, name)
      return Object.fromEntries(body)
    },
  }
}

/** The schema of an object with these fields. */
function objectSchema(fields: Fields, required: readonly string[]): Schema {
  const properties = Object.fromEntries(
    Object.entries(fields).map(([name, { schema }]) => [name, schema]),
  )
  return { type: 'object', required, properties }
}

/** A text; how long it may be says whoever takes it. */
export function text(description: string): Field<string> {
  return fieldOf({ type: 'string', description }, readText)
}

/** A text of a few that there are. */
export function oneOf<const Value extends string>(
  values: readonly Value[],
  description: string,
): Field<Value> {
  return fieldOf({ type: 'string', enum: values, description }, (value, name) =>
    readOneOf(values, value, `${name} must be`),
  )
}

/** Some texts of a few that there are. */
export function someOf<const Value extends string>(
  values: readonly Value[],
  description: string,
): Field<readonly Value[]> {
  const schema = { type: 'array', items: { type: 'string', enum: values }, description }
  return fieldOf(schema, (value, name) => {
    if (!Array.isArray(value)) throw refusal(`${name} must be an array.`)
    return value.map((item: unknown) => readOneOf(values, item, `each of ${name} must be`))
  })
}

/** A whole number; how large it may be says whoever takes it. */
export function integer(description: string): Field<number> {
  return fieldOf({ type: 'integer', description }, (value, name) => {
    if (!Number.isSafeInteger(value)) throw refusal(`${name} must be a whole number.`)
    return value as number
  })
}

/** True or false. */
export function flag(description: string): Field<boolean> {
  return fieldOf({ type: 'boolean', description }, (value, name) => {
    if (typeof value !== 'boolean') throw refusal(`${name} must be true or false.`)
    return value
  })
}

/** The same, or null. */
export function orNull<Value>({ schema, read }: Field<Value>): Field<Value | null> {
  return {
    schema: { ...schema, type: [schema['type'], 'null'] },
    nullable: true,
    read: (value, name) => (value === null ? null : read(value, name)),
  }
}

function fieldOf<Value>(schema: Schema, read: Field<Value>['read']): Field<Value> {
  return { schema, nullable: false, read }
}

function readText(value: unknown, name: string): string {
  if (typeof value !== 'string') throw refusal(`${name} must be a string.`)
  refuseBroken(value, name)
  return value
}

function readOneOf<Value extends string>(
  values: readonly Value[],
  given: unknown,
  must: string,
): Value {
  const found = values.find((value) => value === given)
  if (found === undefined) throw refusal(`${must} one of ${values.join(', ')}.`)
  return found
}

/** What no database takes as text: NUL, and half of a character. As deep as any field has texts. */
function refuseBroken(value: unknown, name: string): void {
  const texts = typeof value === 'object' && value !== null ? Object.entries(value).flat() : [value]
  const isBroken = (each: unknown) =>
    typeof each === 'string' && (!each.isWellFormed() || each.includes('\0'))
  if (texts.some(isBroken)) throw refusal(`${name} has a character that is none.`)
}

function refusal(sentence: string): TocsinError {
  return new TocsinError('bad_request', sentence)
}
