import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { existsSync } from 'node:fs'
import { Socket } from 'node:net'
import { Writable } from 'node:stream'
import { createServer } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { createLogger } from '../../src/logging/logger.ts'
import { endpointFrom, parseClientAddress, parseRequestPath, parseTarget } from '../../src/names/index.ts'
import { testCertificate } from '../support/certificates.ts'
import { keptLogger, logged, loggedText } from './log-support.ts'

const PSEUDONYM = /^addr-[0-9a-f]{16}$/

describe('a value that is large', () => {
  it('is cut, however it is put together', () => {
    // Each level holds the next one a hundred times: ten thousand million values in all.
    let laughs: unknown = 'ha'
    for (let level = 0; level < 5; level++) laughs = Array.from({ length: 100 }, () => laughs)
    const { kept, log } = keptLogger()
    log.info('x', { laughs })
    expect(kept.text.length).toBeLessThan(50_000)
    expect(kept.text).toContain('[too much]')
  })

  it('is cut if it is many long texts', () => {
    const { kept, log } = keptLogger()
    log.info('x', { list: Array.from({ length: 100 }, () => 'y'.repeat(10_000)), after: 'x' })
    expect(kept.text.length).toBeLessThan(80_000)
    expect(kept.text).toContain('[too much]')
  })

  it('is not copied to be cut', () => {
    // A copy of either would not fit into the memory, and no `try` catches that.
    function* forever(): Generator<number> {
      for (let i = 0; ; i++) yield i
    }
    const endless = Object.assign([], { length: 2 ** 32 - 1 })
    const set = new Set<unknown>([1])
    Object.defineProperty(set, Symbol.iterator, { value: forever })
    expect(logged({ endless, set })).toMatchObject({ endless: expect.arrayContaining(['[4294967195 more]']) })
  })

  it('says how much of it is left out', () => {
    const names = Object.fromEntries(Array.from({ length: 103 }, (_, i) => [`n${i}`, i]))
    const shown = logged({ names, map: new Map(Object.entries(names)), set: new Set(Object.keys(names)) })
    expect(shown).toMatchObject({ names: { '…': '[3 more]' }, map: { n99: 99, '…': '[3 more]' } })
    expect(Object(shown)).toMatchObject({ set: expect.arrayContaining(['[3 more]']) })
  })
})

describe('a value that cannot be read', () => {
  it('costs no other field', () => {
    const fields = {
      before: 1,
      get broken(): never {
        throw new Error('no')
      },
      after: 2,
    }
    expect(logged(fields)).toEqual({ before: 1, broken: '[unreadable]', after: 2 })
    expect(logged({ inner: fields })).toEqual({ inner: { before: 1, broken: '[unreadable]', after: 2 } })
  })

  it('costs no other entry of a map, as a key', () => {
    const broken = Object.create(null)
    const map = new Map<unknown, unknown>([
      [broken, 1],
      [Symbol('s'), 2],
      [parseClientAddress('192.0.2.1'), 3],
      ['password', 4],
    ])
    const { map: shown } = logged({ map })
    expect(Object.values(Object(shown))).toEqual([1, 2, 3, '[secret]'])
    expect(Object.keys(Object(shown))).toEqual([
      '[unreadable]',
      'Symbol(s)',
      expect.stringMatching(PSEUDONYM),
      'password',
    ])
  })

  it('costs no line as all of its fields', () => {
    const { proxy, revoke } = Proxy.revocable({ ip: '192.0.2.1' }, {})
    revoke()
    expect(logged(proxy)).toEqual({ value: '[unreadable]' })
  })

  it('costs no line as a message', () => {
    const broken = {
      toString(): never {
        throw new Error('no')
      },
    }
    expect(loggedText(broken as never)).toBe('[unreadable]')
  })
})

describe('an object', () => {
  it('with insides of its own is shown by its name only', async () => {
    const { certPem, keyPem } = await testCertificate()
    const server = createServer({ cert: certPem, key: keyPem, passphrase: 'open sesame' })
    const socket = new Socket()
    class Visit {
      readonly password = 'open sesame'
    }
    const key = createPrivateKey(keyPem)
    const { kept, log } = keptLogger()
    log.info('x', { server, socket, visit: new Visit(), handle: key, promise: Promise.resolve('open sesame') })
    expect(kept.lines[0]).not.toMatch(/sesame|PRIVATE|MII/)
    expect(kept.lines[0]).toContain('"server":"[Server]"')
    expect(kept.lines[0]).toContain('"visit":"[Visit]"')
    socket.destroy()
  })

  it('that says something of itself says it, without secrets', () => {
    const url = new URL('gemini://ana:secret@example.org/a?secret')
    expect(logged({ url, seen: url, pattern: /a+/ })).toEqual({
      url: 'gemini://example.org/a?…',
      seen: 'gemini://example.org/a?…',
      pattern: '/a+/',
    })
  })

  it('of a class may be the fields of a line', () => {
    class Visit {
      readonly ip = '192.0.2.1'
      readonly path = '/a'
    }
    expect(logged(new Visit())).toEqual({ ip: expect.stringMatching(PSEUDONYM), path: '/a' })
  })

  it('that is a key in JSON is no list of numbers', () => {
    const { privateKey } = generateKeyPairSync('ed25519')
    const jwk = { kty: 'OKP', crv: 'Ed25519', d: 'the secret scalar', x: 'public' }
    const { kept, log } = keptLogger()
    log.info('x', { jwk, list: [jwk], handle: privateKey })
    expect(kept.text).not.toContain('scalar')
    expect(logged({ jwk })).toEqual({ jwk: '[key]' })
  })

  it('cannot hide behind a name, or a name behind it', () => {
    expect(logged({ x: Object.assign(Object.create({ constructor: { name: 'a\nb' } }), {}) })).toEqual({
      x: '[a\\u000ab]',
    })
    expect(logged({ x: Object.create({ constructor: null }) })).toEqual({ x: '[object]' })
    expect(logged({ x: Object.create(null) })).toEqual({ x: {} })
  })

  it('of this library is shown by what names it, in fields of any name', () => {
    const target = parseTarget('gemini://192.0.2.1/a?secret', { schemes: { gemini: 1965 }, served: 'any' })
    const shown = logged({
      target,
      path: parseRequestPath('/a/b'),
      endpoint: endpointFrom('192.0.2.1', 1965),
      remoteAddress: endpointFrom('example.org', 1965),
      who: parseClientAddress('2001:db8::1'),
    })
    expect(shown).toEqual({
      target: expect.stringMatching(/^gemini:\/\/addr-[0-9a-f]{16}:1965\/a\?…$/),
      path: '/a/b',
      endpoint: expect.stringMatching(/^addr-[0-9a-f]{16}:1965$/),
      remoteAddress: expect.stringMatching(PSEUDONYM),
      who: expect.stringMatching(PSEUDONYM),
    })
  })

  it('that holds an address has the pseudonym of the address', () => {
    const remoteAddress = endpointFrom('192.0.2.1', 1965)
    const { ip, ...others } = logged({
      ip: '192.0.2.1',
      remoteAddress,
      address: parseClientAddress('::ffff:192.0.2.1'),
      peerAddress: '192.0.2.1:1965',
      clientIp: new String('192.0.2.1'),
    })
    expect(ip).toMatch(PSEUDONYM)
    expect(others).toEqual({ remoteAddress: ip, address: ip, peerAddress: ip, clientIp: ip })
  })

  it('of this library is shown whole only if told so', () => {
    const target = parseTarget('gemini://192.0.2.1/a?secret', { schemes: { gemini: 1965 }, served: 'any' })
    const bare = parseTarget('gemini://192.0.2.1/a', { schemes: { gemini: 1965 }, served: 'any' })
    const fields = { target, bare, who: parseClientAddress('2001:DB8::1') }
    expect(logged(fields, { hashAddresses: false, keepQueries: true })).toEqual({
      target: 'gemini://192.0.2.1:1965/a?secret',
      bare: 'gemini://192.0.2.1:1965/a',
      who: '2001:db8::1',
    })
  })

  it('of any kind is hidden in a field for addresses', () => {
    const { clientIp, remoteAddress } = logged({ clientIp: new Date(0), remoteAddress: parseRequestPath('/a/b') })
    expect(clientIp).toMatch(PSEUDONYM)
    expect(remoteAddress).toMatch(PSEUDONYM)
  })

  it('that is a query taken apart is a query', () => {
    const { searchParams } = new URL('gemini://example.org/?token=sesame')
    expect(logged({ searchParams })).toEqual({ searchParams: '[query]' })
    expect(logged({ searchParams }, { keepQueries: true })).toEqual({ searchParams: 'token=sesame' })
  })

  it('that is an error shows what it rests on, and nothing else that hangs on it', () => {
    const error = Object.assign(
      new AggregateError([new Error('connect ECONNREFUSED 192.0.2.1:1965'), 'and a text'], 'a\nb', {
        cause: Object.assign(new Error('deeper'), { code: 'ENOENT', path: '/home/ana', password: 'sesame' }),
      }),
      { code: 'ERR_X', request: 'gemini://example.org/?secret' },
    )
    expect(logged({ error })).toEqual({
      error: {
        name: 'AggregateError',
        code: 'ERR_X',
        message: 'a\\u000ab',
        cause: { name: 'Error', code: 'ENOENT', message: 'deeper' },
        errors: [
          { name: 'Error', message: expect.stringMatching(/^connect ECONNREFUSED addr-[0-9a-f]{16}:1965$/) },
          'and a text',
        ],
      },
    })
    expect(logged(new Error('alone'))).toEqual({ error: { name: 'Error', message: 'alone' } })
  })
})

describe('the name of a field', () => {
  it.each([
    'password',
    'user_password',
    'passwordHash',
    'Pass-Phrase',
    'clientSecret',
    'secret_key',
    'authToken',
    'access_token',
    'Authorization',
    'proxy-authorization',
    'Set-Cookie',
    'apiKey',
    'X-API-Key',
    'credentials',
    'pfx',
    'keyPem',
    'pepper',
    'linkCode',
    'new_recovery_codes',
  ])('keeps a secret: %s', (name) => {
    for (const value of ['sesame', 12345, ['sesame'], { a: 'sesame' }, Buffer.from('sesame')]) {
      expect(logged({ [name]: value })).toEqual({ [name]: '[secret]' })
    }
    expect(logged({ [name]: null })).toEqual({ [name]: null })
  })

  it.each(['tokens', 'publicKey', 'keyType', 'monkey', 'fingerprint', 'passed', 'pin', 'code', 'linkCodeKind'])(
    'is no secret: %s',
    (name) => {
      expect(logged({ [name]: 'shown' })).toEqual({ [name]: 'shown' })
    },
  )

  it.each(['clientIpAddress', 'source_ip_address', 'userIp', 'peername', 'CF-Connecting-IP', 'remote_host'])(
    'is that of an address: %s',
    (name) => {
      expect(logged({ [name]: 'somebody.example' })).toEqual({ [name]: expect.stringMatching(PSEUDONYM) })
    },
  )

  it.each(['zip', 'description', 'ship', 'host', 'hostname'])('is not that of an address: %s', (name) => {
    expect(logged({ [name]: 'shown.example' })).toEqual({ [name]: 'shown.example' })
  })

  it.each(['query', 'query_string'])('says that it is a query: %s', (name) => {
    expect(logged({ [name]: 'what somebody typed' })).toEqual({ [name]: '[query]' })
    expect(logged({ [name]: 'words' }, { keepQueries: true })).toEqual({ [name]: 'words' })
  })

  it.each([
    ['/upload;size=3;token=sesame', '/upload;…'],
    ['/search?what somebody typed', '/search?…'],
    ['gemini://example.org/search?what somebody typed', 'gemini://example.org/search?…'],
    ['/a#b', '/a#…'],
  ])('says that it is a request, whatever it looks like: %s', (line, shown) => {
    expect(logged({ line })).toEqual({ line: shown })
  })

  it.each([
    '__proto__',
    'constructor',
    'hasOwnProperty',
    'toString',
    'toJSON',
    'then',
    'err',
    'msg',
    'pid',
    'setHeader',
    'req',
    'res',
  ])('is a name like any other: %s', (name) => {
    for (const value of ['text', 5, { a: 1 }]) {
      const fields = Object.fromEntries([[name, value]])
      const { kept, log } = keptLogger()
      log.info('x', fields)
      log.info('x', { inner: fields })
      const [outer, inner] = kept.lines.map((line) => Object.entries(JSON.parse(line)))
      expect(outer).toContainEqual([name, value])
      expect(inner).toContainEqual(['inner', fields])
    }
  })

  it('does not make a line another kind of line', () => {
    // What pino takes for a request, or for a response.
    const request = { method: 'GET', headers: { a: 1 }, socket: 'x' }
    expect(JSON.stringify(logged(request))).not.toContain('"message"')
    expect(keptLogger().lines()).toEqual([])
    const { log, lines } = keptLogger()
    log.info('hello', request)
    expect(lines()).toMatchObject([{ message: 'hello', level: 'info' }])
  })
})

describe('a message', () => {
  it.each(['%s %d %o %j %O %%', '100%', '%s'])('is no format: %s', (message) => {
    expect(loggedText(message)).toBe(message)
  })

  it('cannot look like a field in a console line', () => {
    const { log, kept } = keptLogger({ format: 'console' })
    log.info('hello admin=true', { n: 1 })
    expect(kept.lines).toEqual(['1970-01-01T00:00:00.000Z INFO "hello admin=true" n=1'])
  })

  it('is cut where it is too long, before it costs anything', () => {
    expect(String(loggedText('x'.repeat(10_000_000))).length).toBeLessThan(5000)
  })

  it('is cut so that no address is cut in two', () => {
    expect(loggedText(`${'x '.repeat(2045)}192.0.2.1 192.0.2.2`)).not.toMatch(/192/)
  })
})

describe('a destination that fails', () => {
  const broken = new Writable({
    write() {
      throw new Error('broken')
    },
  })

  it('is reported, and throws nothing at the program', () => {
    const errors: Error[] = []
    const log = createLogger({ stream: broken, onError: (error) => errors.push(error) })
    expect(() => log.error('x')).not.toThrow()
    expect(() => createLogger({ stream: broken }).error('x')).not.toThrow()
    expect(errors.map(({ message }) => message)).toContain('broken')
  })

  it('is reported as an error, whatever it throws', () => {
    const errors: Error[] = []
    const stream = Object.assign(new Writable(), {
      write: () => {
        throw 'a text'
      },
    })
    createLogger({ stream, onError: (error) => errors.push(error) }).error('x')
    expect(errors).toEqual([new Error('the log could not be written', { cause: 'a text' })])
  })

  it.runIf(existsSync('/dev/full'))('is a disk that is full, too', async () => {
    const reported = new Promise<Error>((resolve) => {
      const log = createLogger({ file: '/dev/full', onError: resolve })
      expect(() => log.error('x')).not.toThrow()
    })
    expect(await reported).toMatchObject({ code: 'ENOSPC' })
  })

  it('or a clock, or a listener, or a source of pseudonyms, costs no more than it must', () => {
    const fail = (): never => {
      throw new Error('no')
    }
    for (const clock of [fail, () => Number.NaN]) {
      const { log, lines } = keptLogger({ clock })
      log.security('attack')
      expect(lines()).toEqual([{ level: 'security', time: null, message: 'attack' }])
    }
    expect(() => createLogger({ stream: broken, onError: fail }).error('x')).not.toThrow()
    expect(logged({ ip: '192.0.2.1', other: 1 }, { pseudonymizer: fail })).toEqual({ ip: '[unreadable]', other: 1 })
    expect(loggedText('192.0.2.1', { pseudonymizer: fail })).toBe('[unreadable]')
    // What it gives is no safer than any other text.
    expect(logged({ ip: '192.0.2.1' }, { pseudonymizer: () => 'a\u202eb' })).toEqual({ ip: 'a\\u202eb' })
    expect(logged({ ip: '192.0.2.1' }, { pseudonymizer: (() => 5n) as never })).toEqual({ ip: '5' })
  })
})

it('keeps a protection that is turned off by anything but true or false', () => {
  expect(logged({ ip: '192.0.2.1' }, { hashAddresses: 0 as never })).toEqual({ ip: expect.stringMatching(PSEUDONYM) })
  expect(logged({ url: '/a?secret' }, { keepQueries: 'false' as never })).toEqual({ url: '/a?…' })
})
