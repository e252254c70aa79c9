// Script: writes docs/openapi.json from the route table.

import { writeFile } from 'node:fs/promises'
import { openApiDocument } from '../src/http/openapi.ts'
import { KINDS } from '../src/kinds.ts'

await writeFile(new URL('../docs/openapi.json', import.meta.url), await openApiDocument(KINDS))
