// Submit: what an API is by which reports come in; promises that one thread judges and stores the reports of all of them alike.

import type { PublishContext, PublishReply } from './publish-v1.ts'

/** An API by which reports come in. */
export interface SubmissionApi {
  /** Goes into the report as its source, and is never used for another. */
  readonly name: string
  /**
   * Handles one submission, from its body to its reply: in the thread of submissions. A refusal is a reply, too.
   *
   * @param fields what else the request said, by this API's own names
   */
  handle(
    context: PublishContext,
    body: Uint8Array,
    userAgent: string,
    fields: Readonly<Record<string, string>>,
  ): Promise<PublishReply>
}
