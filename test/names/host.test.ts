import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InvalidNameError } from '../../src/errors.ts'
import { normalizeHost } from '../../src/names/host.ts'
import { countReads } from './reads.ts'

describe('normalizeHost', () => {
  it.each([
    ['example.org', 'example.org'],
    ['EXAMPLE.org', 'example.org'],
    ['example.org.', 'example.org'],
    ['localhost', 'localhost'],
    ['a_b._tcp.example.org', 'a_b._tcp.example.org'],
    ['3com.example', '3com.example'],
    ['1.2.3.4.example', '1.2.3.4.example'],
    ['0xcafe.example', '0xcafe.example'],
    ['example.0xy', 'example.0xy'],
    ['a--b.example', 'a--b.example'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['BÜCHER.EXAMPLE', 'xn--bcher-kva.example'],
    ['bu\u0308cher.example', 'xn--bcher-kva.example'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['XN--BCHER-KVA.example', 'xn--bcher-kva.example'],
    ['xn--BCHER-kva.example', 'xn--bcher-kva.example'],
    ['bücher。example', 'xn--bcher-kva.example'],
    ['bücher．example｡', 'xn--bcher-kva.example'],
    ['faß.example', 'xn--fa-hia.example'],
    ['ёлка.рф', 'xn--80atc1g.xn--p1ai'],
    ['ｅｘａｍｐｌｅ.org', 'example.org'],
    ['ex\u00adample.org', 'example.org'],
    ['💩.la', 'xn--ls8h.la'],
    ['192.0.2.1', '192.0.2.1'],
    ['::1', '::1'],
    ['[::1]', '::1'],
    ['2001:0DB8::0001', '2001:db8::1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['[::FFFF:C000:201]', '192.0.2.1'],
    [`${'a'.repeat(63)}.org`, `${'a'.repeat(63)}.org`],
    [`${'a.'.repeat(126)}a`, `${'a.'.repeat(126)}a`],
    [`${'a.'.repeat(126)}a.`, `${'a.'.repeat(126)}a`],
  ])('writes %s as %s', (input, canonical) => {
    expect(normalizeHost(input)).toBe(canonical)
    expect(normalizeHost(canonical)).toBe(canonical)
  })

  it('keeps names apart that only look alike', () => {
    // Latin a, Cyrillic а.
    expect(normalizeHost('pаypal.example')).not.toBe(normalizeHost('paypal.example'))
  })

  it.each([
    ['nothing', ''],
    ['a dot', '.'],
    ['two dots', '..'],
    ['an empty label', 'a..b'],
    ['a leading dot', '.a'],
    ['two trailing dots', 'a..'],
    ['an ideographic empty label', 'a。。b'],
    ['a space', 'exa mple.org'],
    ['a space before', ' example.org'],
    ['a space after', 'example.org '],
    ['a no-break space', 'exa\u00a0mple.org'],
    ['a tab, which the URL parser drops', 'exa\tmple.org'],
    ['a line end, which the URL parser drops', 'example.org\n'],
    ['a NUL', 'example.org\0.evil.example'],
    ['an escape', 'ex%61mple.org'],
    ['an escaped international name', 'b%C3%BCcher.example'],
    ['an escape written in fullwidth', 'ex％61mple.org'],
    ['a slash, where the URL parser cuts', 'example.org/x'],
    ['a backslash', 'example.org\\x'],
    ['a question mark', 'example.org?x'],
    ['a symbol that holds a slash', '℀.org'],
    ['a number sign', 'example.org#x'],
    ['user information', 'user@example.org'],
    ['a port', 'example.org:1965'],
    ['a wildcard', '*.example.org'],
    ['punctuation', "a!$&'()+,;=b"],
    ['angle brackets', '<example.org>'],
    ['a hyphen at the start', '-a.org'],
    ['a hyphen at the end', 'a-.org'],
    ['a hyphen alone', '-'],
    ['a label of 64', `${'a'.repeat(64)}.org`],
    ['an international label of 64 as ASCII', `${'ü'.repeat(64)}.org`],
    ['a name of 254', `${'a.'.repeat(126)}ab`],
    ['a megabyte', 'a'.repeat(2 ** 20)],
    ['a megabyte of dots', '.'.repeat(2 ** 20)],
    ['a megabyte outside ASCII', 'ü'.repeat(2 ** 20)],
    ['an octal address', '0177.0.0.1'],
    ['a padded address', '127.0.0.01'],
    ['a hexadecimal address', '0x7f.0.0.1'],
    ['a number in hexadecimal', '0x7f000001'],
    ['0x alone, which is 0 to the URL parser', '0x'],
    ['one number', '2130706433'],
    ['a short address', '127.1'],
    ['five octets', '1.2.3.4.5'],
    ['an octet above 255', '1.2.3.256'],
    ['a name that ends in a number', 'example.1'],
    ['a name that ends in a hexadecimal number', 'example.0x1'],
    ['an address with a dot behind it', '127.0.0.1.'],
    ['an address in fullwidth digits', '１２７.0.0.1'],
    ['an address with ideographic dots', '127。0。0。1'],
    ['circled digits', '①②⑦.0.0.1'],
    ['a zone', 'fe80::1%eth0'],
    ['an encoded zone', '[fe80::1%25eth0]'],
    ['an open bracket', '[::1'],
    ['a closing bracket', '::1]'],
    ['brackets around IPv4', '[127.0.0.1]'],
    ['brackets around a name', '[example.org]'],
    ['an address of the future', '[v1.x]'],
    ['brackets around nothing', '[]'],
    ['a malformed A-label', 'xn--a.example'],
    ['an empty A-label', 'xn--.example'],
    ['an A-label of plain ASCII', 'xn--example-.org'],
    ['an A-label of an upper-case letter', 'xn--bcher-2pa.example'],
    ['a lone surrogate', 'a\ud800.org'],
    ['a joiner out of place', 'a\u200db.org'],
    ['a character that no name has', 'a\u2028b.org'],
  ])('refuses %s', (_, input) => {
    expect(() => normalizeHost(input)).toThrow(
      expect.objectContaining({ name: 'InvalidNameError', code: 'ERR_TLACACOCA_ENDPOINT_INVALID' }),
    )
  })

  it('makes of a name what it makes of the same in capitals', () => {
    // Only what is canonical already takes the short way, and capitals never are.
    const pieces = fc.constantFrom(
      'a',
      'xn',
      'x',
      '0',
      '9',
      '-',
      '--',
      '.',
      '..',
      '_',
      'bcher-kva',
      '0x',
      'a'.repeat(60),
    )
    const answer = (text: string): string => {
      try {
        return normalizeHost(text)
      } catch (error) {
        return error instanceof InvalidNameError ? error.code : String(error)
      }
    }
    fc.assert(
      fc.property(fc.array(pieces, { minLength: 1, maxLength: 12 }), (parts) => {
        const name = parts.join('')
        expect(answer(name)).toBe(answer(name.toUpperCase()))
      }),
      { numRuns: 2000 },
    )
  })

  it('looks at a bounded part of a text of a megabyte', () => {
    for (const piece of ['a', '.', '-', '1', ':', '[', 'ü', 'xn--', 'a.']) {
      const long = piece.repeat(2 ** 20 / piece.length)
      expect(countReads(() => normalizeHost(long))).toBeLessThan(500)
      // The longest text that is looked at is read a few times over, not once for each of its labels.
      expect(countReads(() => normalizeHost(long.slice(0, 512)))).toBeLessThan(20 * 512)
    }
  })

  it('takes something other than text for a mistake of the program', () => {
    // @ts-expect-error: Node says false where a client sent no server name
    expect(() => normalizeHost(false)).toThrow(TypeError)
  })
})
