// Submit: padding as the log keeps it: devices that nobody has; promises rows that differ from a report's in their mark alone.

import type { NewEvent } from '../log/record.ts'
import type { ReportContent } from './report.ts'

/** The type of the event of a padding device. */
export const PADDING = 'padding'

/** One padding device: what the tables take of a report, and nothing that statistics or a revision could take for one. */
export interface PaddingContent extends Pick<
  ReportContent,
  'app' | 'regions' | 'reportType' | 'traveler' | 'timeGrain' | 'keys'
> {
  /** 128 random bits. */
  readonly trackingId: Uint8Array
  /** 16 random bytes: no request has them. */
  readonly fingerprint: Uint8Array
  /** When it pretends to have been accepted: unix seconds at a time grain, before the event's own. */
  readonly accepted: number
}

/** The event of a padding device. It leaves when the reports do that it stands beside. */
export function paddingEvent(content: PaddingContent): NewEvent {
  return { type: PADDING, parts: [{ retention: 'report', content }] }
}
