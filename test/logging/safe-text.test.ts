import { describe, expect, it } from 'vitest'
import { createAddressPseudonymizer } from '../../src/logging/pseudonym.ts'
import { escapeText, withoutKeys, withoutQueries, withPseudonyms } from '../../src/logging/safe-text.ts'

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
    ['gemini://example.org/plain', 'gemini://example.org/plain'],
    ['really? yes; #1', 'really? yes; #1'],
  ])('loses its secrets: %s', (text, expected) => {
    expect(withoutQueries(text)).toBe(expected)
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
  ])('is hidden: %s', (text, expected) => {
    expect(hidden(text)).toBe(expected)
  })

  it.each([
    'std::vector',
    '12:34:56',
    '2026-01-02T03:04:05.678Z',
    'aa:bb:cc:dd:ee:ff',
    `14:6A:4B:27:71:B2:A2:00:F0:58:D0:E5:16:BA:F6:F8:24:F1:91:3F:10:50:AD:2D:71:11:85:82:65:33:A2:57`,
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

  // A search that starts anew at every character would not end within the time that a test has.
  it.each(['.', ':', 'a', '1.', '1:', '::', 'a:', '192.0.2.', '%', '-----BEGIN PRIVATE KEY-----'])(
    'is found in linear time: %s',
    (piece) => {
      const text = piece.repeat(1_000_000 / piece.length)
      expect(hidden(withoutKeys(text))).toBeDefined()
    },
  )

  it.each(['://', 'a://', '/a?', '@', 'a://b@', 'a://b', '"/'])('leaves time to look at URLs: %s', (piece) => {
    // As much as a logger looks at.
    expect(withoutQueries(piece.repeat(8192 / piece.length))).toBeDefined()
  })
})
