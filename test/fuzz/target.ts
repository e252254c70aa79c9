// Fuzzing: what a target is; promises that anything but a value or a documented refusal counts as a failure.

import type * as fc from 'fast-check'
import { TocsinError } from '../../src/errors.ts'

/** A parser, the inputs that it is given, and what must hold for every one of them. */
export interface Target {
  readonly name: string
  readonly inputs: fc.Arbitrary<unknown>
  /** Throws when the promise is broken. */
  check(input: unknown): void | Promise<void>
}

/** A target whose check knows the type of its inputs. */
export function target<Input>(
  name: string,
  inputs: fc.Arbitrary<Input>,
  check: (input: Input) => void | Promise<void>,
): Target {
  return { name, inputs, check }
}

/** What a parser gave: its value, or `undefined` for a refusal as it is documented. Any other error is thrown on. */
export function valueOf<Value>(
  parse: () => Value,
  isRefusal: (error: unknown) => boolean,
): Value | undefined {
  try {
    return parse()
  } catch (error) {
    if (isRefusal(error)) return undefined
    throw error
  }
}

/** As {@link valueOf}, for a parser that takes its time. */
export async function valueLater<Value>(
  parse: () => Promise<Value>,
  isRefusal: (error: unknown) => boolean,
): Promise<Value | undefined> {
  try {
    return await parse()
  } catch (error) {
    if (isRefusal(error)) return undefined
    throw error
  }
}

/** Whether an error is the caller's fault and told so: anything else would be answered with status 500. */
export function isClientError(error: unknown): boolean {
  return error instanceof TocsinError && error.status >= 400 && error.status < 500
}

/** Bytes in hexadecimal digits, to compare and to show. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
}
