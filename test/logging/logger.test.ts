import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { beforeEach, describe, expect, it } from 'vitest'
import { createLogger, type LoggerOptions } from '../../src/logging/index.ts'
import { closeLogger } from '../../src/logging/logger.ts'
import { endpointFrom, parseClientAddress, parseTarget } from '../../src/names/index.ts'
import { testCertificate } from '../support/certificates.ts'
import { fakePeer } from '../support/peer.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let written = ''

/** A logger that writes into `written`. */
function logger(options: LoggerOptions = {}) {
  const stream = new Writable({
    write(chunk, _encoding, done) {
      written += chunk
      done()
    },
  })
  return createLogger({ level: 'trace', stream, ...options })
}

const lines = (): Record<string, unknown>[] =>
  written
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

/** What became of the fields of a line. */
function logged(fields: Record<string, unknown>, options: LoggerOptions = {}): Record<string, unknown> {
  logger(options).info('message', fields)
  return lines().at(-1) ?? {}
}

const PSEUDONYM = /^addr-[0-9a-f]{16}$/

beforeEach(() => {
  written = ''
})

describe('levels', () => {
  it('are error by default: ordinary visits leave no trace', () => {
    const stream = new PassThrough()
    const log = createLogger({ stream })
    log.info('a visit')
    log.warn('odd')
    log.error('broken')
    expect(String(stream.read()).split('\n').filter(Boolean)).toHaveLength(1)
  })

  it.each(['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const)('record security events at %s', (level) => {
    logger({ level }).security('pin changed')
    expect(lines()).toMatchObject([{ level: 'security', message: 'pin changed' }])
  })

  it.each(['silent', 'ERROR', 3])('cannot be %s', (level) => {
    expect(() => createLogger({ level: level as never })).toThrow(TypeError)
  })

  it('are written under their own names', () => {
    const log = logger()
    for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'security'] as const)
      log[level]('x', { level })
    expect(lines().map(({ level }) => level)).toEqual(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'security'])
  })

  it('name the level in words, and the time by the clock', () => {
    logger({ clock: () => 0 }).warn('odd', { days: 3 })
    expect(lines()).toEqual([{ level: 'warn', time: '1970-01-01T00:00:00.000Z', message: 'odd', days: 3 }])
  })
})

describe('where lines go', () => {
  it('to a file that nobody else can read, behind what is there', async () => {
    const file = join(await temporaryFolder(), 'log')
    createLogger({ file }).error('one')
    createLogger({ file }).error('two')
    expect(
      readFileSync(file, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line).message),
    ).toEqual(['one', 'two'])
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('not to a file that cannot be opened: that is an error at once', () => {
    expect(() => createLogger({ file: '/nowhere/at/all/log' })).toThrow(
      expect.objectContaining({ code: 'ERR_TLACACOCA_FILE_UNWRITABLE' }),
    )
  })

  it('and a stream that fails is reported and ends nothing', async () => {
    const errors: Error[] = []
    const stream = new Writable({ write: (_chunk, _encoding, done) => done(new Error('disk full')) })
    const log = createLogger({
      stream,
      onError: (error) => {
        errors.push(error)
        throw new Error('the listener fails too')
      },
    })
    log.error('lost')
    await new Promise((resolve) => stream.once('close', resolve))
    log.error('lost too')
    expect(errors[0]?.message).toBe('disk full')
  })

  it('and a file that is closed twice, or written to behind its end, throws nothing at the program', async () => {
    const file = join(await temporaryFolder(), 'log')
    const errors: Error[] = []
    const log = createLogger({ file, onError: (error) => errors.push(error) })
    log.error('kept')
    closeLogger(log)
    expect(() => closeLogger(log)).not.toThrow()
    expect(() => log.error('lost')).not.toThrow()
    expect(errors.length).toBeGreaterThan(0)
    expect(readFileSync(file, 'utf8')).toMatch(/^\{.*"message":"kept"\}\n$/)
    // A logger of somebody else's is left alone.
    expect(() => closeLogger({ ...log } as never)).not.toThrow()
  })

  it('not where a misspelt option only seems to send them', () => {
    expect(() => createLogger({ hashAdresses: false } as never)).toThrow(/no option "hashAdresses"/)
  })

  it.each([{ stream: null }, { stream: {} }, { stream: { write: () => true } }, { file: 5 }, { file: '' }])(
    'not to what is no place to write: %j',
    (options) => {
      expect(() => createLogger(options as never)).toThrow(/"(stream|file)[a-z.]*" expected/)
    },
  )

  it.each(['/', 'a\0b'])('not to a path that is no file: %j', (file) => {
    expect(() => createLogger({ file })).toThrow(expect.objectContaining({ code: 'ERR_TLACACOCA_FILE_UNWRITABLE' }))
  })

  it('not to both', () => {
    expect(() => createLogger({ file: 'log', stream: new PassThrough() })).toThrow(TypeError)
  })
})

describe('addresses', () => {
  it.each([
    'ip',
    'IP',
    'clientIp',
    'client_ip',
    'Client-IP',
    'remoteAddress',
    'remote_addr',
    'address',
    'peerAddress',
    'x-forwarded-for',
  ])('in a field called %s become pseudonyms', (name) => {
    expect(logged({ [name]: '192.0.2.1' })[name]).toMatch(PSEUDONYM)
    expect(written).not.toContain('192.0.2.1')
  })

  it('are the same for all spellings and in all places, within one logger', () => {
    const log = logger()
    log.info('hello 192.0.2.1', {
      ip: '192.0.2.1',
      clientIp: '::ffff:192.0.2.1',
      address: parseClientAddress('192.0.2.1'),
    })
    const { ip, clientIp, address, message } = lines()[0] ?? {}
    expect([clientIp, address, String(message).slice('hello '.length)]).toEqual([ip, ip, ip])
  })

  it.each([
    ['nested', { request: { from: { ip: '192.0.2.1' } } }],
    ['in a list', { ip: ['192.0.2.1', '192.0.2.2'] }],
    ['below an address field', { address: { host: '192.0.2.1', port: 5 } }],
    ['in a map', { seen: new Map([['ip', '192.0.2.1']]) }],
    ['in a set', { ip: new Set(['192.0.2.1']) }],
    ['as a number', { ip: 3221225985 }],
    ['as a text that is none', { ip: 'somebody at 192.0.2' }],
    ['with a port', { ip: '192.0.2.1:1234' }],
    ['in any field, as a value', { whoever: parseClientAddress('192.0.2.1') }],
    ['in any text', { note: 'refused 192.0.2.1, again' }],
    ['in any text, with a port', { note: 'refused 192.0.2.1:1234.' }],
    ['in the name of a field', { '192.0.2.1': 3 }],
    ['in an error', { error: new Error('connect ECONNREFUSED 192.0.2.1:1965') }],
    ['in the cause of one', { error: new Error('no', { cause: new Error('192.0.2.1') }) }],
    ['in IPv6', { note: 'from [2001:db8::7]:1965 and 2001:DB8:0:0:0:0:0:7' }],
  ])('do not appear %s', (_, fields) => {
    logged(fields)
    expect(written).not.toMatch(/192\.0\.2\.\d|3221225985|2001:db8/i)
    expect(written).toMatch(/addr-[0-9a-f]{16}/)
  })

  it.each([
    'at 12:34:56',
    'version 1.2.3',
    'std::vector',
    'foo::bar',
    'a: b',
    'AA:BB:CC:DD:EE:FF:00:11:22:33',
    'beef',
    '::',
    'sha256:146a4b2771b2a200f058d0e516baf6f824f1913f1050ad2d711185826533a257',
  ])('are not seen where there are none: %s', (text) => {
    const { note } = logged({ note: text })
    expect(note === text || (text === '::' && PSEUDONYM.test(String(note)))).toBe(true)
  })

  it.each(['clientName', { 0: 'clientName', length: 1 }, null])('cannot be named by %j', (addressFields) => {
    expect(() => createLogger({ addressFields: addressFields as never })).toThrow(TypeError)
  })

  it('are added by name', () => {
    expect(logged({ visitor: 'ana-at-home' }, { addressFields: ['visitor'] }).visitor).toMatch(PSEUDONYM)
  })

  it('stay as they are only if told so', () => {
    expect(logged({ ip: '192.0.2.1' }, { hashAddresses: false }).ip).toBe('192.0.2.1')
  })

  it('cannot be found again by hashing all of them', () => {
    const { ip } = logged({ ip: '192.0.2.1' })
    const digests = ['192.0.2.1', 'address 192.0.2.1', '192.0.2.1\n'].map((text) =>
      createHash('sha256').update(text).digest('hex').slice(0, 16),
    )
    expect(digests).not.toContain(String(ip).slice('addr-'.length))
    written = ''
    // Another logger has another key.
    expect(logged({ ip: '192.0.2.1' }).ip).not.toBe(ip)
  })
})

describe('text that somebody else chose', () => {
  it.each([
    ['a line end', 'a\r\nb'],
    ['an escape', 'a\u001b[31mb'],
    ['an 8-bit CSI', 'a\u009b31mb'],
    ['a reversal', 'a\u202eb'],
    ['a line separator', 'a\u2028b'],
    ['NUL', 'a\0b'],
    ['DEL', 'a\u007fb'],
    ['half a pair', 'a\ud800b'],
    ['a BOM', 'a\ufeffb'],
  ])('cannot carry %s, in a message, a value or a name', (_, text) => {
    for (const format of ['json', 'console'] as const) {
      written = ''
      logger({ format }).info(text, { value: text, [text]: 1, list: [text], error: new Error(text) })
      expect(written.endsWith('\n')).toBe(true)
      expect(written.slice(0, -1)).toMatch(/^[^\u0000-\u001f\u007f-\u009f\u2028\u202e\ufeff\ud800-\udfff]*$/)
      expect(written).toContain('\\u')
    }
  })

  it('cannot break out of JSON, nor forge what every line has', () => {
    const log = logger({ clock: () => 0 }).child({ time: 'forged', level: 'fatal' })
    log.info('","level":"fatal', {
      message: 'forged',
      level: 'x',
      ...JSON.parse('{"__proto__": { "polluted": 1 }}'),
      a: '"}',
    })
    expect(lines()).toMatchObject([
      {
        level: 'info',
        time: '1970-01-01T00:00:00.000Z',
        message: '","level":"fatal',
        message_: 'forged',
        level_: 'x',
        time_: 'forged',
        a: '"}',
      },
    ])
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  it('cannot look like another field in a console line', () => {
    logger({ format: 'console', clock: () => 0 }).info('hello', { name: 'ana admin=true', other: 'a"b', plain: 'yes' })
    expect(written).toBe('1970-01-01T00:00:00.000Z INFO hello name="ana admin=true" other="a\\"b" plain=yes\n')
  })

  it('is cut where it is too long', () => {
    logged({ text: 'x'.repeat(1_000_000), list: Array.from({ length: 100_000 }, () => 1) })
    expect(written.length).toBeLessThan(20_000)
  })
})

describe('what nobody should read', () => {
  it.each([
    ['gemini://example.org/search?my+secret', 'gemini://example.org/search?…'],
    ['see gemini://example.org/a?my+secret now', 'see gemini://example.org/a?… now'],
    ['gemini://example.org/a#secret', 'gemini://example.org/a#…'],
    ['gemini://ana:secret@example.org/', 'gemini://example.org/'],
    ['titan://example.org/up;size=3;token=secret', 'titan://example.org/up;…'],
  ])('is taken out of %s', (url, shown) => {
    expect(logged({ note: url }).note).toBe(shown)
  })

  it.each(['line', 'url', 'target', 'path'])(
    'is taken out of a field called %s, which need not look like a URL',
    (name) => {
      expect(logged({ [name]: '/search?secret' })[name]).toBe('/search?…')
    },
  )

  it('is kept on demand', () => {
    const url = 'gemini://example.org/search?words'
    expect(logged({ url }, { keepQueries: true }).url).toBe(url)
  })

  it.each(['passphrase', 'password', 'privateKey', 'private_key_pem', 'token', 'key', 'secret'])(
    'is replaced: %s',
    (name) => {
      expect(logged({ [name]: 'open sesame' })[name]).toBe('[secret]')
    },
  )

  it('includes private keys, wherever they are', async () => {
    const { keyPem } = await testCertificate()
    logged({ note: `see ${keyPem}`, error: new Error(keyPem, { cause: { deep: [keyPem] } }) })
    expect(written).not.toContain(keyPem.split('\n')[1])
    expect(written).toContain('[private key]')
  })
})

describe('values of this library', () => {
  it('are shown by what names them', async () => {
    const { certificate } = await testCertificate()
    const target = parseTarget('gemini://Example.org/a?secret', { schemes: { gemini: 1965 }, served: 'any' })
    const shown = logged({
      target,
      certificate,
      who: fakePeer(certificate),
      endpoint: endpointFrom('example.org', 1965),
    })
    expect(shown).toMatchObject({
      target: 'gemini://example.org:1965/a?…',
      certificate: certificate.fingerprint,
      who: certificate.fingerprint,
      endpoint: 'example.org:1965',
    })
  })
})

describe('no value', () => {
  const circular: Record<string, unknown> = {}
  circular.self = circular
  const deep = Array.from({ length: 10_000 }).reduce<unknown>((inner) => ({ inner }), 1)

  it.each([
    [
      'a getter that throws',
      Object.defineProperty({}, 'x', {
        enumerable: true,
        get: () => {
          throw new Error('no')
        },
      }),
    ],
    [
      'a proxy that throws',
      new Proxy(
        {},
        {
          ownKeys: () => {
            throw new Error('no')
          },
          get: () => {
            throw new Error('no')
          },
        },
      ),
    ],
    ['a circle', circular],
    ['something very deep', deep],
    ['a BigInt', 10n ** 30n],
    ['a symbol', Symbol('s')],
    ['a function', () => 1],
    ['no date', new Date(Number.NaN)],
    ['infinity', Number.POSITIVE_INFINITY],
    ['bytes', new Uint8Array(1e6)],
    [
      'a text that is none',
      {
        toString: () => {
          throw new Error('no')
        },
        toJSON: () => {
          throw new Error('no')
        },
      },
    ],
    [
      'an error without a message',
      Object.assign(new Error('x'), {
        message: {
          toString: () => {
            throw new Error('no')
          },
        },
      }),
    ],
    ['nothing', undefined],
  ])('throws out of the logger: %s', (_, value) => {
    logged({ value, list: [value], other: 'still here' })
    expect(lines()).toMatchObject([{ message: 'message', other: 'still here' }])
    expect(written.length).toBeLessThan(5000)
  })

  it.each([[undefined], [null], [3], [{}], [Symbol('s')]])('and no message does: %s', (message) => {
    logger().info(message as never)
    expect(lines()).toHaveLength(1)
  })

  it.each([[null], ['text'], [[1, 2]], [3]])('and no fields do: %s', (fields) => {
    logger().info('message', fields as never)
    expect(lines()).toMatchObject([{ message: 'message' }])
  })
})

it('binds fields, child by child', () => {
  logger({ fields: { component: 'capsule' } })
    .child({ ip: '192.0.2.1' })
    .child({ n: 1 })
    .info('hello', { n: 2 })
  expect(lines()).toMatchObject([
    { component: 'capsule', ip: expect.stringMatching(PSEUDONYM), n: 2, message: 'hello' },
  ])
})

it('reads a megabyte of anything once', () => {
  for (const piece of ['a', ':', '.', '1.', 'a://', '1:', '%', '-----BEGIN PRIVATE KEY-----', '@']) {
    logger().info(piece.repeat(1_000_000 / piece.length))
  }
  expect(lines()).toHaveLength(9)
})
