import { beforeAll, describe, expect, it } from 'vitest'
import { loadCertificateBuilder } from '../../src/certificate/certificate-builder.ts'
import { type ExtensionMaker, rawExtension } from '../../src/certificate/extension-maker.ts'
import {
  KEY_USAGES,
  type KeyUsage,
  readBasicConstraints,
  readExtendedKeyUsage,
  readKeyUsage,
  readSubjectAltNames,
} from '../../src/certificate/extensions.ts'
import { validatePath } from '../../src/certificate/path-validation.ts'
import { type AltName, bytes, crafted, extension } from '../support/crafted-certificates.ts'
import { CRITICAL, issue } from '../support/issued-certificates.ts'

let make: ExtensionMaker
beforeAll(async () => {
  make = (await loadCertificateBuilder()).extensions
})

const hex = (value: Uint8Array) => Buffer.from(value).toString('hex')

describe('basicConstraints', () => {
  it.each<[{ ca: boolean; pathLength?: number }, string]>([
    [{ ca: false }, '3000'],
    [{ ca: true }, '30030101ff'],
    [{ ca: true, pathLength: 0 }, '30060101ff020100'],
    [{ ca: true, pathLength: 3 }, '30060101ff020103'],
  ])('says %j', (facts, der) => {
    const { critical, value } = make.basicConstraints(facts)
    expect(critical).toBe(true)
    expect(hex(value)).toBe(der)
    expect(readBasicConstraints(value)).toEqual({ ca: facts.ca, pathLength: facts.pathLength ?? null })
  })

  it('has no path length for what signs nothing', () => {
    expect(() => make.basicConstraints({ ca: false, pathLength: 0 })).toThrow(TypeError)
  })
})

describe('keyUsage', () => {
  it.each([
    ...KEY_USAGES.map((use) => [use]),
    [...KEY_USAGES],
    ['keyCertSign', 'cRLSign'],
    ['decipherOnly', 'keyAgreement'],
  ])('says %s', (...uses) => {
    const { critical, value } = make.keyUsage(uses as KeyUsage[])
    expect(critical).toBe(true)
    expect(new Set(readKeyUsage(value))).toEqual(new Set(uses))
  })

  it.each([[[]], [['signing']], [['toString']]])('refuses %j', (uses) => {
    expect(() => make.keyUsage(uses as never)).toThrow('"uses"')
  })
})

describe('extendedKeyUsage', () => {
  it('takes short names and identifiers', () => {
    const purposes = ['serverAuth', 'clientAuth', '1.2.3.4', '2.25.327847519394146920']
    expect(readExtendedKeyUsage(make.extendedKeyUsage(purposes).value)).toEqual(purposes)
    expect(readExtendedKeyUsage(make.extendedKeyUsage(['1.3.6.1.5.5.7.3.2']).value)).toEqual(['clientAuth'])
  })

  it.each([[[]], [['web']], [['1.2.']], [['3.1.2']], [['1.40.2']], [['constructor']]])('refuses %j', (purposes) => {
    expect(() => make.extendedKeyUsage(purposes)).toThrow()
  })
})

describe('subjectAltName', () => {
  const names = {
    dns: ['example.org', '*.example.org'],
    ip: ['192.0.2.1', '2001:db8::1', '::'],
    email: ['a@example.org'],
    uri: ['spiffe://example.org/x'],
  }

  it('is read as it was written', () => {
    const { critical, value } = make.subjectAltName(names, { critical: true })
    expect(critical).toBe(true)
    expect(readSubjectAltNames(value)).toEqual(names)
  })

  // The encoder under it would take all of these, in its way.
  it.each([
    ['nothing', {}],
    ['a letter beyond ASCII', { dns: ['b\u00fccher.example'] }],
    ['a letter that loses its high bits', { dns: ['\u0161'] }],
    ['a NUL', { dns: ['a\0b'] }],
    ['an empty name', { email: [''] }],
    ['a number that is no octet', { ip: ['999.1.1.1'] }],
    ['an IPv6 address of two groups', { ip: ['1:2'] }],
    ['a block of addresses', { ip: ['10.0.0.0/8'] }],
    ['a host for an address', { ip: ['example.org'] }],
  ])('refuses %s', (_, change) => {
    const none = { dns: [], ip: [], email: [], uri: [] }
    expect(() => make.subjectAltName({ ...none, ...change }, { critical: false })).toThrow()
  })
})

describe('authorityKeyIdentifier', () => {
  it("is the issuer's own identifier", () => {
    const issuer = crafted({ extensions: [extension('2.5.29.14', bytes('04 03 0a 0b 0c'))] })
    expect(hex(make.authorityKeyIdentifier(issuer).value)).toBe('300580030a0b0c')
  })

  it('is what the issuer would have, if it has none', () => {
    const issuer = crafted()
    const own = make.subjectKeyIdentifier(issuer.subjectPublicKeyInfo).value
    expect(hex(make.authorityKeyIdentifier(issuer).value)).toBe(`30168014${hex(own).slice(4)}`)
  })
})

describe('URLs', () => {
  it('are written for lists and for issuers', () => {
    const url = '8613687474703a2f2f63612e6578616d706c652f63' // 19 octets: http://ca.example/c
    expect(hex(make.crlDistributionPoints(['http://ca.example/c']).value)).toBe(`301b3019a017a015${url}`)
    const access = make.authorityInformationAccess({ issuers: ['http://ca.example/c'] })
    expect(hex(access.value)).toBe(`3021301f06082b06010505073002${url}`)
    expect([access.critical, access.oid]).toEqual([false, '1.3.6.1.5.5.7.1.1'])
  })

  it.each([[], ['/crl'], ['http://b\u00fccher.example/'], ['http://a b/'], ['']])('are refused: %j', (...urls) => {
    expect(() => make.crlDistributionPoints(urls)).toThrow()
    expect(() => make.authorityInformationAccess({ issuers: urls })).toThrow()
  })
})

describe('nameConstraints', () => {
  const path = (constraints: Parameters<ExtensionMaker['nameConstraints']>[0], names: readonly AltName[]) => {
    const { oid, value, critical } = make.nameConstraints(constraints)
    expect(critical).toBe(true)
    const root = issue({ subject: 'Root', ca: true, extensions: [extension(oid, value, CRITICAL)] })
    const leaf = issue({ by: root, names })
    return validatePath({
      leaf: leaf.certificate,
      intermediates: [],
      authorities: [root.certificate],
      purpose: 'server',
      at: new Date('2030-01-01T00:00:00Z'),
    })
  }

  it.each([
    ['a host below', { permitted: { dns: ['Example.org.'] } }, [[2, 'www.example.org']], true],
    ['the host itself', { permitted: { dns: ['example.org'] } }, [[2, 'example.org']], true],
    ['another host', { permitted: { dns: ['example.org'] } }, [[2, 'example.com']], false],
    ['an address inside', { permitted: { ip: ['10.0.0.0/8'] } }, [[7, bytes('0a 01 02 03')]], true],
    ['an address outside', { permitted: { ip: ['10.0.0.0/8'] } }, [[7, bytes('0b 01 02 03')]], false],
    [
      'an IPv6 address inside',
      { permitted: { ip: ['2001:db8::/33'] } },
      [[7, bytes(`20010db8 ${'00'.repeat(12)}`)]],
      true,
    ],
    [
      'an IPv6 address outside',
      { permitted: { ip: ['2001:db8::/33'] } },
      [[7, bytes(`20010db880 ${'00'.repeat(11)}`)]],
      false,
    ],
    ['an excluded host', { excluded: { dns: ['example.org'] } }, [[2, 'a.example.org']], false],
    ['a host that is not excluded', { excluded: { dns: ['example.org'] } }, [[2, 'example.com']], true],
  ] as [string, Parameters<ExtensionMaker['nameConstraints']>[0], AltName[], boolean][])(
    'are heeded for %s',
    (_, constraints, names, allowed) => {
      expect(path(constraints, names)).toMatchObject(allowed ? { valid: true } : { problem: 'name_constraint' })
    },
  )

  it.each([
    ['none', {}],
    ['empty lists', { permitted: { dns: [] }, excluded: { ip: [] } }],
    ['an address for a host', { permitted: { dns: ['10.0.0.1'] } }],
    ['bits beyond the prefix', { permitted: { ip: ['10.0.0.1/8'] } }],
    ['a wildcard', { permitted: { dns: ['*.example.org'] } }],
  ])('are refused: %s', (_, constraints) => {
    expect(() => make.nameConstraints(constraints)).toThrow()
  })
})

describe('any other extension', () => {
  it('is taken as it is, in a copy', () => {
    const value = bytes('05 00')
    const made = rawExtension('2.25.327847519394146920', value, { critical: true })
    value.fill(0xff)
    expect(made).toEqual({ oid: '2.25.327847519394146920', critical: true, value: new Uint8Array([5, 0]) })
  })

  it.each([
    ['no identifier', 'x', '05 00'],
    ['an identifier with a leading zero', '1.02.3', '05 00'],
    ['no value', '1.2.3', ''],
    ['two values', '1.2.3', '05 00 05 00'],
    ['half a value', '1.2.3', '30 05 00'],
    ['BER', '1.2.3', '30 80 00 00'],
  ])('is refused with %s', (_, identifier, value) => {
    expect(() => rawExtension(identifier, bytes(value), { critical: false })).toThrow(RangeError)
  })
})
