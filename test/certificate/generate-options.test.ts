import { inspect } from 'node:util'
import { describe, expect, it, vi } from 'vitest'
import { generateSelfSignedCertificate } from '../../src/certificate/generate.ts'
import type { GenerateOptions } from '../../src/certificate/generate-options.ts'
import { generateKey } from '../../src/certificate/key-generation.ts'

// Every option is looked at before a key is made.
vi.mock('../../src/certificate/key-generation.ts', async (original) => {
  const { generateKey } = await original<typeof import('../../src/certificate/key-generation.ts')>()
  return { generateKey: vi.fn(generateKey) }
})

const now = Date.parse('2030-06-01T12:00:00Z')
const accepted = { hostname: 'example.org', clock: () => now }
const long = (length: number): string => 'x'.repeat(length)
const date = (text: string): Date => new Date(text)

const shown = (value: unknown): string => inspect(value, { breakLength: Number.POSITIVE_INFINITY, maxStringLength: 40 })

/** What JavaScript may pass, whatever the types say. */
const generate = (options: unknown) => generateSelfSignedCertificate(options as GenerateOptions)

it('accepts the options that the rows below change in one place', async () => {
  await generate(accepted)
  expect(generateKey).toHaveBeenCalledTimes(1)
})

describe('options that are refused by name, before a key is generated', () => {
  const rows: [option: string, value: unknown][] = [
    ['hostname', ''],
    ['hostname', ' '],
    ['hostname', 'exa mple.org'],
    ['hostname', ' example.org'],
    ['hostname', 'example.org\0.evil.org'],
    ['hostname', 'example.org\n'],
    ['hostname', 'example..org'],
    ['hostname', '.example.org'],
    ['hostname', '-example.org'],
    ['hostname', 'example.org:1965'],
    ['hostname', 'gemini://example.org'],
    ['hostname', 'user@example.org'],
    ['hostname', `${long(64)}.org`],
    ['hostname', `${`${long(60)}.`.repeat(4)}${long(60)}`],
    ['hostname', '*'],
    ['hostname', '*.'],
    ['hostname', '*.*.example.org'],
    ['hostname', 'a.*.example.org'],
    ['hostname', 'w*.example.org'],
    ['hostname', '*.127.0.0.1'],
    ['hostname', '*.[::1]'],
    ['hostname', `*.${`${long(60)}.`.repeat(4)}${long(8)}`],
    ['hostname', '127.1'],
    ['hostname', '0127.0.0.1'],
    ['hostname', 'fe80::1%eth0'],
    ['hostname', '\ud800.example'],
    ['hostname', 5],
    ['hostname', null],
    ['subjectAltNames', 'example.org'],
    ['subjectAltNames', ['example.com', '']],
    ['subjectAltNames', ['example.com', undefined]],
    ['commonName', long(65)],
    ['commonName', '🐙'.repeat(65)],
    ['commonName', 'a\0b'],
    ['commonName', 'a\nb'],
    ['commonName', 'a\u2028b'],
    ['commonName', 'a\u0085b'],
    ['commonName', '\ud800'],
    ['commonName', 5],
    ['commonName', null],
    ['organization', ''],
    ['organization', long(65)],
    ['userId', ''],
    ['userId', long(257)],
    ['key', 'RSA-1024'],
    ['key', 'RSA-2047'],
    ['key', 'p-256'],
    ['key', 'P-224'],
    ['key', 'toString'],
    ['key', null],
    ['validDays', 0],
    ['validDays', -1],
    ['validDays', 1.5],
    ['validDays', Number.NaN],
    ['validDays', Number.POSITIVE_INFINITY],
    ['validDays', 1e15],
    ['validDays', 2_911_000],
    ['validDays', '365'],
    ['notAfter', date('2030-06-01T12:00:00Z')],
    ['notAfter', date('2030-06-01T11:59:59Z')],
    ['notAfter', date('+010000-01-01T00:00:00Z')],
    ['notAfter', date('nonsense')],
    ['notAfter', '2031-01-01'],
    ['notAfter', 1924992000000],
    ['notBefore', date('1949-12-31T23:59:59Z')],
    ['notBefore', date('+010000-01-01T00:00:00Z')],
    ['notBefore', date('nonsense')],
    ['usage', 'none'],
    ['usage', ''],
    ['isCA', 'false'],
    ['isCA', 1],
    ['passphrase', ''],
    ['passphrase', new Uint8Array()],
    ['passphrase', long(1025)],
    ['passphrase', undefined],
    ['passphrase', null],
    ['passphrase', 1234],
    ['passphrse', 'a typing error that would leave the key unencrypted'],
    ['clock', () => Number.NaN],
  ]
  it.each(rows.map(([option, value]) => ({ option, value, text: shown(value) })))('$option: $text', async (row) => {
    const { option, value } = row
    vi.mocked(generateKey).mockClear()
    const failure: unknown = await generate({ ...accepted, [option]: value }).catch((error: unknown) => error)
    expect(failure instanceof TypeError || failure instanceof RangeError, String(failure)).toBe(true)
    expect(String(failure)).toContain(`"${option}`)
    expect(generateKey).not.toHaveBeenCalled()
  })

  it.each([
    ['an end before the beginning', { notBefore: date('2031-01-01'), notAfter: date('2030-12-31') }, '"notAfter"'],
    ['an end at the beginning', { notBefore: date('2031-01-01'), notAfter: date('2031-01-01') }, '"notAfter"'],
    ['two ends', { validDays: 1, notAfter: date('2031-01-01') }, 'exclude each other'],
    ['days that end beyond 9999', { notBefore: date('9999-12-31'), validDays: 2 }, '"validDays"'],
  ])('%s', async (_, options, message) => {
    vi.mocked(generateKey).mockClear()
    await expect(generate({ ...accepted, ...options })).rejects.toThrow(message)
    expect(generateKey).not.toHaveBeenCalled()
  })

  it.each([undefined, null, 'example.org', 5])('%j instead of options', async (options) => {
    await expect(generate(options)).rejects.toThrow(TypeError)
  })

  it('and the message shows nothing of a passphrase', async () => {
    for (const passphrase of [long(1025), 1234567, { secret: '1234567' }]) {
      const failure = await generate({ ...accepted, passphrase }).catch((error: unknown) => error)
      expect(String(failure)).not.toMatch(/xx|1234567/)
    }
  })
})

describe('options at the edge of what is accepted', () => {
  const rows = [
    { commonName: '🐙'.repeat(64) },
    { userId: long(256) },
    { hostname: `*.${`${long(60)}.`.repeat(4)}${long(7)}` },
    { hostname: `${`${long(60)}.`.repeat(4)}${long(9)}` },
    { notAfter: date('2030-06-01T12:00:01Z') },
    { notAfter: date('9999-12-31T23:59:59.999Z') },
    { notBefore: date('1950-01-01'), notAfter: date('1950-01-01T00:00:01Z') },
  ]
  it.each(rows.map((options) => ({ options, text: shown(options) })))('$text', async ({ options }) => {
    await expect(generate({ ...accepted, ...options })).resolves.toBeDefined()
  })
})
