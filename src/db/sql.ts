// Db: plain SQL as tagged templates; promises that a value can only ever become a parameter, never text of the statement.

/** A statement with its parameters, as node-postgres takes it. */
export interface Statement {
  readonly text: string
  readonly values: unknown[]
}

/** Builds a statement: every `${value}` becomes a numbered parameter. */
export function sql(strings: TemplateStringsArray, ...values: unknown[]): Statement {
  let text = strings[0] ?? ''
  for (let index = 0; index < values.length; index++) text += `$${index + 1}${strings[index + 1]}`
  return { text, values }
}
