/** What a request tells before its body is looked at: who writes, from which page, from where, with what. */
import { describe, expect, test } from 'vitest'
import { limits } from '../../src/base/limits.ts'
import { corsOf } from '../../src/collector/cors.ts'
import { clientAddress, openEnricher } from '../../src/collector/enrich.ts'
import { keysOf } from '../../src/collector/keys.ts'

describe('write keys', () => {
  const keys = keysOf({ web: 'key-of-the-web', tv: 'key-of-the-tv' })
  const sourceOf = (authorization: string | undefined, parameter: string | null = null): string => {
    const source = keys.sourceOf(authorization, parameter)
    return source.ok ? source.value : source.error.code
  }

  test.each([
    ['a header', 'Bearer key-of-the-web', null, 'web'],
    ['a header in another case, with spaces', 'bearer   key-of-the-tv ', null, 'tv'],
    ['a parameter', undefined, 'key-of-the-tv', 'tv'],
    ['a header before a parameter', 'Bearer key-of-the-web', 'key-of-the-tv', 'web'],
    ['another scheme and a parameter', 'Basic abc', 'key-of-the-tv', 'tv'],
    ['nothing', undefined, null, 'key_missing'],
    ['an empty parameter', undefined, '', 'key_missing'],
    ['an empty header', 'Bearer ', null, 'key_missing'],
    ['another scheme', 'Basic key-of-the-web', null, 'key_missing'],
    ['an unknown key', 'Bearer key-of-the-radio', null, 'key_unknown'],
    ['the beginning of a key', 'Bearer key-of-the-we', null, 'key_unknown'],
    ['a key and more', 'Bearer key-of-the-web2', null, 'key_unknown'],
    ['the name of a source', 'Bearer web', null, 'key_unknown'],
    ['the name of a method', 'Bearer constructor', null, 'key_unknown'],
  ])('%s', (_name, authorization, parameter, source) => {
    expect(sourceOf(authorization, parameter)).toBe(source)
  })

  test('with none configured everybody writes, whatever they send', () => {
    for (const authorization of [undefined, 'Bearer x']) {
      expect(keysOf({}).sourceOf(authorization, null)).toEqual({ ok: true, value: 'open' })
    }
  })
})

describe('origins', () => {
  test('all of them: no answer differs by origin', () => {
    const cors = corsOf(['https://a.example', '*'])
    expect(cors.headers('https://b.example')).toEqual({ 'access-control-allow-origin': '*' })
    expect(cors.headers(undefined)).toEqual({})
  })

  test.each([
    ['https://a.example', 'https://a.example'],
    ['http://a.example', undefined],
    ['https://a.example:8443', undefined],
    ['https://a.example.evil.example', undefined],
    ['null', undefined],
  ])('only %s as configured, and caches are told', (origin, allowed) => {
    const headers = corsOf(['https://a.example']).headers(origin)
    expect(headers['access-control-allow-origin']).toBe(allowed)
    expect(headers['vary']).toBe('Origin')
  })

  test('a preflight permits what clients send', () => {
    const headers = corsOf(['*']).preflight('https://a.example')
    expect(headers['access-control-allow-methods']).toMatch(/\bPOST\b/)
    for (const name of ['authorization', 'content-type', 'content-encoding']) {
      expect(headers['access-control-allow-headers']).toContain(name)
    }
    expect(Number(headers['access-control-max-age'])).toBeGreaterThan(600)
  })
})

describe('the address of a client', () => {
  test.each([
    ['no proxy', '192.0.2.1', undefined, 0, '192.0.2.1'],
    ['a header that nobody vouches for', '192.0.2.1', '198.51.100.7', 0, '192.0.2.1'],
    ['IPv4 in IPv6', '::ffff:192.0.2.1', undefined, 0, '192.0.2.1'],
    ['one proxy', '10.0.0.1', '198.51.100.7', 1, '198.51.100.7'],
    [
      'one proxy, and what the client made up',
      '10.0.0.1',
      '203.0.113.9, 198.51.100.7',
      1,
      '198.51.100.7',
    ],
    ['two proxies', '10.0.0.1', '203.0.113.9, 198.51.100.7,10.0.0.2', 2, '198.51.100.7'],
    ['fewer proxies than configured', '10.0.0.1', '198.51.100.7', 3, '198.51.100.7'],
    ['a proxy that says nothing', '10.0.0.1', undefined, 1, '10.0.0.1'],
    ['no connection any more', undefined, undefined, 0, ''],
  ])('%s', (_name, connection, forwarded, hops, address) => {
    expect(clientAddress(connection, forwarded, hops)).toBe(address)
  })
})

describe('look-ups', () => {
  const CHROME =
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36'
  const IPHONE =
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1'
  const GOOGLEBOT = 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)'

  test('tell country, browser, system, device, and robots', async () => {
    const enricher = await openEnricher({ country: true, userAgent: true })
    expect(enricher.enrich('91.10.0.1', CHROME)).toEqual({
      geo_country: 'DE',
      ua_browser: 'Chrome',
      ua_os: 'Windows',
      ua_device: 'desktop',
      robot: false,
    })
    expect(enricher.enrich('2a01:e0a::1', IPHONE)).toMatchObject({
      geo_country: 'FR',
      ua_browser: 'Safari',
      ua_os: 'iOS',
      ua_device: 'mobile',
    })
    expect(enricher.enrich('66.249.66.1', GOOGLEBOT)).toMatchObject({
      geo_country: 'US',
      robot: true,
    })
  })

  test.each([
    '',
    'not an address',
    '127.0.0.1',
    '10.1.2.3',
    '::1',
    '999.1.1.1',
    '1.2.3.4, 5.6.7.8',
    '\0',
  ])('of the address %j have no country, and do no harm', async (address) => {
    const enricher = await openEnricher({ country: true, userAgent: true })
    expect(enricher.enrich(address, '')).toEqual({ robot: false })
  })

  test('of agents that are none do no harm', async () => {
    const enricher = await openEnricher({ country: false, userAgent: true })
    for (const agent of [
      '',
      ' ',
      '('.repeat(2000),
      'x'.repeat(100_000),
      '\0\u0007',
      '__proto__',
      '{}',
      '\ud800',
    ]) {
      expect(typeof enricher.enrich('91.10.0.1', agent).robot).toBe('boolean')
    }
  })

  test('that are not wanted are not made', async () => {
    const enricher = await openEnricher({ country: false, userAgent: false })
    expect(enricher.enrich('91.10.0.1', GOOGLEBOT)).toEqual({ robot: false })
  })

  test('look at the beginning of an agent alone, so that memory is bounded', async () => {
    const enricher = await openEnricher({ country: false, userAgent: true })
    const long = CHROME.padEnd(limits.userAgentCharsMax, '.')
    expect(enricher.enrich('91.10.0.1', `${long}a`)).toBe(enricher.enrich('91.10.0.1', `${long}b`))
  })

  test('are remembered as one object, up to a bound', async () => {
    const enricher = await openEnricher({ country: true, userAgent: true })
    const first = enricher.enrich('91.10.0.1', CHROME)
    expect(enricher.enrich('91.10.0.1', CHROME)).toBe(first)
    for (let i = 0; i < limits.enrichCacheEntriesMax; i++) enricher.enrich(`address ${i}`, CHROME)
    const again = enricher.enrich('91.10.0.1', CHROME)
    expect(again).toEqual(first)
    expect(again).not.toBe(first)
  })
})
