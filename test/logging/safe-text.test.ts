import { describe, expect, it } from 'vitest'
import { createAddressPseudonymizer } from '../../src/logging/pseudonym.ts'
import {
  beginningOf,
  escapeText,
  withoutCredentials,
  withoutKeys,
  withoutQueries,
  withPseudonyms,
} from '../../src/logging/safe-text.ts'

const hidden = (text: string): string => withPseudonyms(text, (address) => `<${address}>`)

describe('a text', () => {
  it.each([
    ['a line feed', 'a\nb', 'a\\u000ab'],
    ['a carriage return', 'a\rb', 'a\\u000db'],
    ['a NUL', 'a\0b', 'a\\u0000b'],
    ['ESC', '\u001b[31mred', '\\u001b[31mred'],
    ['the 8-bit CSI', '\u009b31m', '\\u009b31m'],
    ['DEL', '\u007f', '\\u007f'],
    ['an override of direction', 'exe.\u202etxt', 'exe.\\u202etxt'],
    ['an isolate', '\u2066a\u2069', '\\u2066a\\u2069'],
    ['an Arabic letter mark', '\u061c', '\\u061c'],
    ['a line separator', 'a\u2028b\u2029', 'a\\u2028b\\u2029'],
    ['next line', '\u0085', '\\u0085'],
    ['a byte order mark', '\ufeff', '\\ufeff'],
    ['an invisible space', '\u200b', '\\u200b'],
    ['a filler that looks like a space', 'a\u3164b', 'a\\u3164b'],
    ['an invisible tag', 'a\u{e0041}b', 'a\\udb40\\udc41b'],
    ['half a surrogate pair', '\ud83d!', '\\ud83d!'],
    ['the other half', '!\udd12', '!\\udd12'],
    ['what is harmless', 'é \u{1f512} ü "quoted" \\', 'é \u{1f512} ü "quoted" \\'],
  ])('is fit for a terminal with %s', (_, text, escaped) => {
    expect(escapeText(text)).toBe(escaped)
  })

  it('is cut if it is too long', () => {
    expect(escapeText('a'.repeat(4096))).toBe('a'.repeat(4096))
    expect(escapeText('a'.repeat(5000))).toBe(`${'a'.repeat(4096)}… (904 more)`)
  })
})

describe('a URL', () => {
  it.each([
    ['gemini://example.org/search?my+secret', 'gemini://example.org/search?…'],
    ['gemini://example.org/search?', 'gemini://example.org/search?…'],
    [
      'see gemini://example.org/search?a and gemini://example.org/b?c.',
      'see gemini://example.org/search?… and gemini://example.org/b?…',
    ],
    ['gemini://example.org/a#fragment', 'gemini://example.org/a#…'],
    ['titan://example.org/up;size=3;token=secret', 'titan://example.org/up;…'],
    ['gemini://user:password@example.org/', 'gemini://example.org/'],
    [`gemini://user:${'p'.repeat(3000)}@example.org/`, 'gemini://example.org/'],
    ['gemini://user@evil@example.org/?q', 'gemini://example.org/?…'],
    ['GEMINI://example.org?secret', 'GEMINI://example.org?…'],
    ['"gemini://example.org/?secret"', '"gemini://example.org/?…"'],
    ['GET /search?my+secret HTTP/1.0', 'GET /search?… HTTP/1.0'],
    ['path="/search?my+secret"', 'path="/search?…"'],
    ['is it /tmp? yes', 'is it /tmp? yes'],
    ['example.org/search?my+secret', 'example.org/search?…'],
    ['/search?secret,gemini://example.org/b', '/search?…'],
    [`${'s'.repeat(40)}://example.org/?secret`, `${'s'.repeat(40)}://example.org/?…`],
    ['x_gemini://user:password@example.org/?secret', 'x_gemini://example.org/?…'],
    ['gemini://proxy/gemini://user:password@example.org/', 'gemini://proxy/gemini://example.org/'],
    ['gemini://a,gemini://user:password@example.org/', 'gemini://a,gemini://example.org/'],
    ['got /up;size=3;TOKEN=secret', 'got /up;size=3;token=…'],
    ['gemini://example.org/plain', 'gemini://example.org/plain'],
    ['really? yes; #1', 'really? yes; #1'],
  ])('loses its secrets: %s', (text, expected) => {
    expect(withoutQueries(withoutCredentials(text))).toBe(expected)
  })

  it('keeps its query, and loses its passwords, where only they are asked for', () => {
    expect(withoutCredentials('titan://user:password@example.org/a;token=secret;size=3?words')).toBe(
      'titan://example.org/a;token=…;size=3?words',
    )
  })
})

describe('a private key', () => {
  it.each(['PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY', 'ENCRYPTED PRIVATE KEY', 'OPENSSH PRIVATE KEY'])(
    'is taken out: %s',
    (label) => {
      const pem = `-----BEGIN ${label}-----\nMIIsecret\n-----END ${label}-----`
      expect(withoutKeys(`a ${pem} b ${pem}`)).toBe('a [private key] b [private key]')
      expect(withoutKeys(`a ${pem.slice(0, -10)}`)).toBe('a [private key]')
      expect(withoutKeys(pem.replaceAll('\n', '\\n'))).toBe('[private key]')
    },
  )

  it('is taken out of a text in which it ends, and of another armour', () => {
    expect(withoutKeys('MIIsecret\n-----END PRIVATE KEY-----\nb')).toBe('[private key]\nb')
    const pgp = '-----BEGIN PGP PRIVATE KEY BLOCK-----\nsecret\n-----END PGP PRIVATE KEY BLOCK-----'
    expect(withoutKeys(`a ${pgp} b`)).toBe('a [private key] b')
  })

  it('is not what a certificate or a public key is', () => {
    const pem = '-----BEGIN PUBLIC KEY-----\nMII\n-----END PUBLIC KEY-----'
    expect(withoutKeys(pem)).toBe(pem)
  })
})

describe('an address in a text', () => {
  it.each([
    ['192.0.2.1', '<192.0.2.1>'],
    ['connect ECONNREFUSED 192.0.2.1:1965', 'connect ECONNREFUSED <192.0.2.1>:1965'],
    ['from 192.0.2.1, then 198.51.100.7.', 'from <192.0.2.1>, then <198.51.100.7>.'],
    ['[192.0.2.1]', '[<192.0.2.1>]'],
    ['face192.0.2.1', 'face<192.0.2.1>'],
    ['192.0.2.1.example.org', '<192.0.2.1>.example.org'],
    ['192.0.2.1abc', '<192.0.2.1>abc'],
    ['wait...192.0.2.1', 'wait...<192.0.2.1>'],
    ['ip=192.0.2.1;', 'ip=<192.0.2.1>;'],
    ['010.000.000.001', '<010.000.000.001>'],
    ['gemini://192.0.2.1:1965/', 'gemini://<192.0.2.1>:1965/'],
    ['2001:db8::1', '<2001:db8::1>'],
    [
      'connect EHOSTUNREACH 2001:db8::1:1965 - Local (:::0)',
      'connect EHOSTUNREACH <2001:db8::1:1965> - Local (<::>:0)',
    ],
    ['connect 2001:db8:1:2:3:4:5:6:1965', 'connect <2001:db8:1:2:3:4:5:6>:1965'],
    ['[2001:DB8::1]:1965', '[<2001:DB8::1>]:1965'],
    ['client:2001:db8::1', 'client:<2001:db8::1>'],
    ['at 2001:db8::1.', 'at <2001:db8::1>.'],
    ['fe80::1%eth0', '<fe80::1%eth0>'],
    ['fe80::1%eth0.100 left', '<fe80::1%eth0.100> left'],
    ['x2001:db8::1', 'x<2001:db8::1>'],
    ['ip_2001:db8::1_', 'ip_<2001:db8::1>_'],
    ['ade2001:db8::1', '<ade2001:db8::1>'],
    ['2001:db8:0:0:0:0:0:1:2001:db8:0:0:0:0:0:2', '<2001:db8:0:0:0:0:0:1:2001:db8:0:0:0:0:0:2>'],
    [`2001:db8::1${'.'.repeat(100)}`, `<2001:db8::1${'.'.repeat(100)}>`],
  ])('is hidden: %s', (text, expected) => {
    expect(hidden(text)).toBe(expected)
  })

  it.each([
    'std::vector',
    '12:34:56',
    '2026-01-02T03:04:05.678Z',
    'aa:bb:cc:dd:ee:ff',
    `14:6A:4B:27:71:B2:A2:00:F0:58:D0:E5:16:BA:F6:F8:24:F1:91:3F:10:50:AD:2D:71:11:85:82:65:33:A2:57`,
    `SHA256:14:6A:4B:27:71:B2:A2:00:F0:58:D0:E5:16:BA:F6:F8:24:F1:91:3F:10:50:AD:2D:71:11:85:82:65:33:A2:57.`,
    ':'.repeat(40),
    `sha256:${'a'.repeat(64)}`,
    '1.2.3',
    '1.2.3.4.5',
    'example.org:1965',
    'a:b',
    'face.cafe.bad',
  ])('is not seen in %s', (text) => {
    expect(hidden(text)).toBe(text)
  })

  it('has one pseudonym in all its spellings', () => {
    const pseudonymOf = createAddressPseudonymizer()
    for (const address of ['192.0.2.1', '::ffff:192.0.2.1', '::FFFF:C000:201', '::ffff:192.0.2.1%eth0']) {
      expect(withPseudonyms(`a ${address} b`, pseudonymOf)).toBe(`a ${pseudonymOf('192.0.2.1')} b`)
    }
  })
})

describe('a long text', () => {
  it.each([
    ['short', 'short'],
    ['two words', 'two '],
    ['from 192.0.2.1', 'from '],
    ['a gemini://u:password@example.org/', 'a '],
    ['gemini://u:password@example.org/', 'gemini://'],
    ['a://example.org/', 'a://'],
    ['a://b/cdefghijk', 'a://b/cd'],
  ])('is cut before the word that does not fit: %s', (text, beginning) => {
    const length = text.startsWith('gemini') ? 14 : 8
    expect(beginningOf(text, length)).toBe(beginning)
  })

  // A search that starts anew at every character, or goes back at every one, would take hours.
  const pieces = [
    '.',
    ':',
    'a',
    '1.',
    '1:',
    '::',
    'a:',
    '192.0.2.',
    '%',
    '@',
    '/',
    '?',
    '=/',
    "'/",
    '"/',
    '/;',
    '://',
    'a://',
  ]
  const keys = ['-----BEGIN ', '-----BEGIN PRIVATE KEY-----', '-----BEGIN PRIVATE KEY ', '-----END PRIVATE KEY ']
  it.each([...pieces, 'a://b@', 'a://b', ';token=', 'a ', '\u{1f512}', '\ud83d', '\u200b', ...keys])(
    'is read in linear time: %j',
    (piece) => {
      const text = piece.repeat(1_000_000 / piece.length)
      for (const full of [text, `${text}x`, `x::${text}x`, `-----END ${text}PRIVATE KEY`]) {
        for (const read of [withoutKeys, withoutCredentials, withoutQueries, escapeText, hidden]) {
          expect(typeof read(full)).toBe('string')
        }
        expect(beginningOf(full, 999_990).length).toBeLessThanOrEqual(999_990)
      }
    },
  )
})
