// Test helper: a real nginx with the configuration that operators get; promises that it ends with whoever started it, and keeps its files in one folder.

import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, type NetConnectOpts } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

const ROOT = join(import.meta.dirname, '..')

/** The path of nginx, or undefined where there is none. */
export function findNginx(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return folders.map((folder) => join(folder, 'nginx')).find((file) => existsSync(file))
}

/**
 * Starts one process of nginx.
 *
 * @param folder for its files
 * @param server the server block
 * @param address where the block listens
 */
export async function startNginx(
  nginx: string,
  folder: string,
  server: string,
  address: NetConnectOpts,
): Promise<ChildProcess> {
  const file = join(folder, 'nginx.conf')
  writeFileSync(file, wrap(server, folder))
  const child = spawn(nginx, ['-e', 'stderr', '-p', folder, '-c', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let told = ''
  child.stderr.on('data', (text: Buffer) => (told += text.toString()))
  for (let tries = 0; tries < 500 && child.exitCode === null; tries++) {
    if (await answers(address)) return child
    await setTimeout(20)
  }
  child.kill('SIGKILL')
  throw new Error(`nginx did not start: ${told}`)
}

/** The server block of docs/serving.md, which includes deploy/nginx.conf, with this machine's paths. @param listen what it says there */
export function documentedServer(root: string, listen: string): string {
  const page = readFileSync(join(ROOT, 'docs/serving.md'), 'utf8')
  const block = /```nginx\n([^]*?)```/.exec(page)?.[1] ?? ''
  const replaced = [
    [/listen 80;/, `listen ${listen};`],
    [/root [^;]+;/, `root "${root}";`],
    [/error_log \S+ crit;/, 'error_log stderr crit;'],
    [/include [^;]+;/, `include "${join(ROOT, 'deploy/nginx.conf')}";`],
  ] as const
  return replaced.reduce((text, [from, to]) => {
    if (!from.test(text)) throw new Error(`the block of docs/serving.md has no ${from.source}`)
    return text.replace(from, () => to)
  }, block)
}

function wrap(server: string, folder: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path "${join(folder, name)}";`)
    .join('\n')
  return `daemon off;
master_process off;
worker_processes 1;
pid "${join(folder, 'nginx.pid')}";
events { worker_connections 1024; }
http {
${temporary}
${server}}
`
}

function answers(address: NetConnectOpts): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address)
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
