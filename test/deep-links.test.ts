// Test: links and association files through a real server: phones, desktops, hosts, and what is hostile.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ANDROID,
  as,
  assertPrivate,
  CODE,
  HOST,
  IOS,
  PLAY,
  realmWith,
  serve,
} from './link-server.ts'

test('a link leads each phone to its app, and is kept by nobody', async () => {
  await using server = await serve(realmWith([ANDROID, IOS]))
  const onAndroid = await server.get(`/v?c=${CODE}`, as('android'))
  assert.equal(onAndroid.status, 303)
  const [opened, intent] = (onAndroid.headers['location'] ?? '').split('#')
  assert.equal(opened, `intent://v?c=${CODE}&r=US-WA`)
  assert.ok(intent?.includes(`;S.browser_fallback_url=${encodeURIComponent(PLAY)};`))
  const onIos = await server.get(`/v?c=${CODE}`, as('ios'))
  assert.deepEqual([onIos.status, onIos.headers['location']], [303, IOS.storeUrl])
  await using express = await serve(realmWith([]))
  const turnedOn = await express.get(`/v?c=${CODE}&r=XX`, as('ios'))
  assert.deepEqual(
    [turnedOn.status, turnedOn.headers['location']],
    [303, `ens://v?c=${CODE}&r=US-WA`],
  )
  for (const reply of [onAndroid, onIos, turnedOn]) {
    assertPrivate(reply)
    assert.equal(reply.body, '')
  }
  const head = await server.get(`/v?c=${CODE}`, { method: 'HEAD', ...as('ios') })
  assert.deepEqual([head.status, head.headers['location']], [303, IOS.storeUrl])
  const posted = await server.get(`/v?c=${CODE}`, { method: 'POST', ...as('ios') })
  assert.equal(posted.status, 405)
  assertPrivate(posted)
})

test('a desktop gets a page that loads and runs nothing, in its language', async () => {
  await using server = await serve(realmWith([ANDROID, { ...IOS, redirects: false }]))
  const reply = await server.get(`/v?c=${CODE}`, as('none'))
  assert.equal(reply.status, 404)
  assertPrivate(reply)
  assert.equal(reply.headers['content-type'], 'text/html; charset=utf-8')
  assert.equal(reply.headers['x-content-type-options'], 'nosniff')
  const policy = reply.headers['content-security-policy'] ?? ''
  assert.match(
    policy,
    /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
  )
  const [, style = ''] = /<style>(.*?)<\/style>/s.exec(reply.body) ?? []
  const digest = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(style)))
  assert.ok(policy.includes(`'sha256-${digest.toString('base64')}'`), 'the style is allowed')
  assert.match(reply.body, /<html lang="en">[\s\S]*<h1>Open this link on your phone<\/h1>/)
  assert.doesNotMatch(reply.body, /<script|<b>|<img|<link|\son\w+=/)
  assert.ok(!reply.body.includes(CODE))
  assert.ok(reply.body.includes('>&#60;b&#62;&#34;Care&#34; &#38; &#39;Alert&#39;&#60;/b&#62;</a>'))
  assert.ok(
    reply.body.includes(
      'href="https://play.google.com/store/apps/details?id=org.example.care&#38;hl=en"',
    ),
  )
  assert.ok(
    !reply.body.includes('apps.apple.com'),
    'nobody is sent to an app that takes no browsers',
  )
  const head = await server.get(`/v?c=${CODE}`, { method: 'HEAD', ...as('none') })
  assert.deepEqual([head.status, head.body], [404, ''])
  const empty = await server.get('/v', as('none'))
  assert.match(empty.body, /<h1>This link has no code<\/h1>/)
  await using other = await serve(realmWith([], ''))
  assert.match(
    (await other.get(`/v?c=${CODE}`, as('ios'))).body,
    /<h1>No app for this link here<\/h1>/,
  )
})

test('the page speaks the language that is liked best of its five', async () => {
  await using server = await serve(realmWith([]))
  const rows: readonly [header: string, language: string][] = [
    ['', 'en'],
    ['nl', 'nl'],
    ['de-AT,de;q=0.9,en;q=0.8', 'de'],
    ['en;q=0.1, FR-ca ; q=0.7, es;q=0.5', 'fr'],
    ['ja,pt-BR;q=0.9,es;q=0.1', 'es'],
    ['de;q=0,nl;q=0.001', 'nl'],
    ['fr,nl', 'fr'],
    ['de;q=0', 'en'],
    ['ja', 'en'],
    ['*', 'en'],
    ['de;q=2', 'en'],
    ['constructor,__proto__,toString', 'en'],
    ['de"><script>', 'en'],
    [',;=,;q=,de;q'.repeat(500), 'en'],
  ]
  for (const [header, language] of rows) {
    const asked = { headers: { ...as('none').headers, 'accept-language': header } }
    const { body, headers } = await server.get(`/v?c=${CODE}`, asked)
    assert.equal(headers['content-language'], language, header)
    assert.ok(body.includes(`<html lang="${language}">`), header)
  }
})

test("the association files are JSON, sent without a detour, for a realm's own host only", async () => {
  await using server = await serve(realmWith([ANDROID, IOS]))
  const apple = await server.get('/.well-known/apple-app-site-association')
  const android = await server.get('/.well-known/assetlinks.json')
  for (const reply of [apple, android]) {
    assert.deepEqual([reply.status, reply.headers['content-type']], [200, 'application/json'])
    assert.equal(reply.headers['cache-control'], 'public, max-age=300')
  }
  assert.equal(
    apple.body,
    '{"applinks":{"apps":[],"details":[{"appID":"A1B2C3D4E5.org.example.care","paths":["*"]}]}}',
  )
  const [entry] = JSON.parse(android.body) as { target: Record<string, unknown> }[]
  assert.deepEqual(entry?.target['sha256_cert_fingerprints'], ANDROID.fingerprints)
  const head = await server.get('/.well-known/assetlinks.json', { method: 'HEAD' })
  assert.deepEqual([head.status, head.body], [200, ''])
  await using empty = await serve(realmWith([]))
  for (const file of ['apple-app-site-association', 'assetlinks.json']) {
    const reply = await empty.get(`/.well-known/${file}`)
    assert.deepEqual([reply.status, reply.headers['cache-control']], [404, 'no-store'])
  }
})

test('the host is compared without port, letter case and last dot; any other one is unknown', async () => {
  const asked: string[] = []
  await using server = await serve(async (host) => {
    asked.push(host)
    return await realmWith([ANDROID, IOS])(host)
  })
  const paths = [
    `/v?c=${CODE}`,
    '/.well-known/apple-app-site-association',
    '/.well-known/assetlinks.json',
  ]
  for (const host of [HOST, HOST.toUpperCase(), `${HOST}:8443`, `${HOST}.`, `${HOST}.:443`])
    for (const path of paths)
      assert.notEqual(
        (await server.get(path, { host, ...as('ios') })).status,
        404,
        `${host}${path}`,
      )
  assert.deepEqual(new Set(asked), new Set([HOST]))
  const unknown = await server.get('/nothing', as('ios'))
  for (const host of [
    'other.example',
    `x.${HOST}`,
    `${HOST}@evil.example`,
    `${HOST}/`,
    '[::1]:80',
    "' or 1=1",
    '%00',
    '',
  ])
    for (const path of paths) {
      const reply = await server.get(path, { host, ...as('ios') })
      assert.deepEqual([reply.status, reply.body], [404, unknown.body], `${host}${path}`)
      assert.equal(reply.headers['location'], undefined)
    }
  for (const host of asked) assert.match(host, /^[a-z0-9.-]+$/)
  const forwarded = { 'x-forwarded-host': HOST, forwarded: `host=${HOST}`, ...as('ios').headers }
  assert.equal(
    (await server.get(`/v?c=${CODE}`, { host: 'other.example', headers: forwarded })).status,
    404,
  )
})

test('a hostile link adds no header and leads to no other site', async () => {
  await using server = await serve(realmWith([]))
  const targets = [
    '/v?c=1%0d%0aset-cookie:%20a=b',
    '/v?c=1%0d%0a%0d%0a<script>',
    '/v?c=https://evil.example/',
    '/v?c=1%23Intent;package=evil.app;end',
    '/v?//evil.example',
    '/v?c=%E0%A4%A',
    `/v?c=${'1'.repeat(12_000)}`,
    'http://evil.example/v?c=%0d%0a',
  ]
  for (const target of targets)
    for (const phone of ['android', 'ios', 'none'] as const) {
      const reply = await server.get(target, as(phone))
      const told = `${phone} ${target.slice(0, 60)}`
      assert.equal(reply.headers['set-cookie'], undefined, told)
      const expected = {
        android: 'ensonboarding://picker/us-wa',
        ios: 'ens://onboarding',
        none: undefined,
      }
      assert.equal(reply.headers['location'], expected[phone], told)
      assert.doesNotMatch(reply.body, /script|evil/)
    }
  for (const target of [
    '//evil.example/v?c=1',
    '/v/..//evil.example',
    '/v//evil.example',
    '/v%0d%0a?c=1',
  ])
    assert.equal((await server.get(target, as('ios'))).headers['location'], undefined, target)
  const huge = await server.get(`/v?c=${'1'.repeat(20_000)}`, as('ios'))
  assert.deepEqual([huge.status, huge.headers['location']], [431, undefined])
})

test('no code reaches the log or the metrics, whatever goes wrong', async () => {
  await using server = await serve(async () => {
    throw new Error('the database is away')
  })
  const reply = await server.get(`/v?c=${CODE}`, as('ios'))
  assert.equal(reply.status, 500)
  assertPrivate(reply)
  assert.ok(!reply.body.includes(CODE))
  assert.equal(server.logged.length, 1)
  await server.get(`/v/?c=${CODE}`, as('ios'))
  const told = JSON.stringify([server.logged.flat().map(String), server.logged, server.counted])
  assert.ok(!told.includes(CODE), told)
  assert.deepEqual(server.counted, ['/v 500', 'other 404'])
})

test('links go on leading to the app during maintenance', async () => {
  await using server = await serve(realmWith([IOS]), true)
  assert.equal((await server.get(`/v?c=${CODE}`, as('ios'))).headers['location'], IOS.storeUrl)
  assert.equal((await server.get('/.well-known/apple-app-site-association')).status, 200)
})
