// Http: the small page at /; promises that it works without scripts and that nothing in it is unescaped.

import type { Queryable } from '../db/database.ts'
import { sql } from '../db/sql.ts'

/** What the page tells. */
export interface HomeDescription {
  readonly version: string
  readonly demo: boolean
  readonly db: Queryable
}

/** The page. */
export async function renderHome({ version, demo, db }: HomeDescription): Promise<string> {
  const { rows } = await db.query<{
    name: string
    region: string
    period: number
    path: string | null
  }>(
    sql`select s.name, s.region, s.period,
               (select path from release_file f where f.stream = s.name order by number desc limit 1) as path
        from stream s order by s.name`,
  )
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tocsin${demo ? ' (demo)' : ''}</title>
<style>
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
.demo { border-left: .3rem solid #b45309; padding: .5rem 1rem; background: #b453091a }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #8884; vertical-align: top }
code { font-size: .9em; overflow-wrap: anywhere }
</style>
</head>
<body>
<main>
<h1>Tocsin</h1>
${demo ? '<p class="demo"><strong>This is a demo.</strong> Its keys and codes are made up and its times are short: never point real phones at it.</p>' : ''}
<p>A backend for privacy-preserving contact tracing, version ${escapeHtml(version)}.</p>
<h2>Streams</h2>
${rows.length === 0 ? '<p>None yet: <code>tocsin stream add</code> makes one.</p>' : streamTable(rows)}
<h2>Documents</h2>
<ul>
<li><a href="/openapi.json">The API, as OpenAPI 3.1</a></li>
<li><a href="/health">Health</a></li>
<li><code>README.md</code>, <code>docs/life-of-a-key.md</code> and <code>docs/log.md</code> in the package</li>
</ul>
</main>
</body>
</html>
`
}

function streamTable(
  rows: readonly { name: string; region: string; period: number; path: string | null }[],
): string {
  const lines = rows.map(({ name, region, period, path }) => {
    const files = `/exports/${escapeHtml(name)}`
    const newest =
      path === null
        ? 'none yet'
        : `<a href="/exports/${escapeHtml(path)}"><code>${escapeHtml(path)}</code></a>`
    return `<tr><td>${escapeHtml(name)}</td><td>${escapeHtml(region)}</td><td>${period} s</td><td>${newest}</td><td><a href="${files}/index.txt">index</a>, <a href="${files}/key.pem">public key</a></td></tr>`
  })
  return `<table>
<thead><tr><th scope="col">Stream</th><th scope="col">Region</th><th scope="col">Period</th><th scope="col">Newest file</th><th scope="col">Files</th></tr></thead>
<tbody>${lines.join('\n')}</tbody>
</table>`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
