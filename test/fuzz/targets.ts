// Fuzzing: every target; promises that each parser of what others send is among them.

import { adminTargets } from './admin-targets.ts'
import { authorityTargets } from './authority-targets.ts'
import { authorizeTargets } from './authorize-targets.ts'
import { cenTargets } from './cen-targets.ts'
import { codeTargets } from './code-targets.ts'
import { ctdiagTargets } from './ctdiag-targets.ts'
import { exportTargets } from './export-targets.ts'
import { formatTargets } from './format-targets.ts'
import { jsonTargets } from './json-targets.ts'
import { logTargets } from './log-targets.ts'
import { numberFileTargets } from './number-file-targets.ts'
import { publishTargets } from './publish-targets.ts'
import { settingTargets } from './setting-targets.ts'
import { submitTargets } from './submit-targets.ts'

/** In the order in which they are run. */
export const targets = [
  ...jsonTargets,
  ...submitTargets,
  ...ctdiagTargets,
  ...cenTargets,
  ...publishTargets,
  ...authorityTargets,
  ...authorizeTargets,
  ...codeTargets,
  ...adminTargets,
  ...formatTargets,
  ...exportTargets,
  ...numberFileTargets,
  ...logTargets,
  ...settingTargets,
]
