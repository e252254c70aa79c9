// Test helper: a row about a code that is asked for; promises a good request but for what is said.

import type { Row, Subject } from './row.ts'

export type Answer = Pick<Row, 'there' | 'here' | 'why'>
export type Make = (subject: Subject) => Record<string, unknown>

export const issue = (
  what: string,
  fields: Make | Record<string, unknown>,
  answer: Answer,
  more: Partial<Row> = {},
): Row => ({
  what: `issue: ${what}`,
  to: 'issue',
  body: (subject: Subject) => ({
    testType: 'confirmed',
    symptomDate: subject.day(3),
    ...(typeof fields === 'function' ? fields(subject) : fields),
  }),
  ...answer,
  ...more,
})
