// What strangers send. The list is shared with the authority's tests; here it meets the reader and the proof alone.

import { spawnSync } from 'node:child_process'
import { createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { CertificateRequest } from '../../src/certificate/certificate-request.ts'
import { CertificateRequestError } from '../../src/errors.ts'
import { bytes, ecKey, element, name, oid, spki as publicKeyInfo, sequence } from '../support/crafted-certificates.ts'
import { craftRequest, hostileRequests, padded } from '../support/hostile-requests.ts'

const NODE = Number(process.versions.node.split('.')[0])

function outcome(der: Uint8Array): string | null {
  try {
    CertificateRequest.from(der).requireProof()
    return null
  } catch (error) {
    expect(error).toBeInstanceOf(CertificateRequestError)
    return (error as CertificateRequestError).code
  }
}

describe('the request that all the others differ from', () => {
  it('is read, and proves its key', () => {
    expect(outcome(craftRequest())).toBeNull()
  })
})

describe('a request that', () => {
  const refused = hostileRequests.filter(({ code }) => code !== null)
  it.each(refused)('$name is refused: $code', ({ der, code }) => {
    expect(outcome(der)).toBe(code)
  })

  const greedy = hostileRequests.filter(({ code }) => code === null)
  it.each(greedy)('$name is a request like any other', ({ der, trace = new Uint8Array() }) => {
    expect(outcome(der)).toBeNull()
    // What is looked for in certificates later is really in there, except where there is nothing to look for.
    const nameless = CertificateRequest.from(der).subject.isEmpty
    expect(Buffer.from(der).includes(Buffer.from(trace))).toBe(!nameless)
  })

  it('has a name of its own', () => {
    expect(new Set(hostileRequests.map(({ name }) => name)).size).toBe(hostileRequests.length)
  })
})

describe('each sound key', () => {
  const P256 = sequence(oid('1.2.840.10045.4.3.2'))
  const rsa = (hash: number) => sequence(oid(`1.2.840.113549.1.1.${hash}`), bytes('05 00'))
  const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve })
  const rows: [string, () => { publicKey: KeyObject; privateKey: KeyObject }, Uint8Array, string | null][] = [
    ['P-256', () => ec('P-256'), P256, 'sha256'],
    ['P-256 with SHA-512', () => ec('P-256'), sequence(oid('1.2.840.10045.4.3.4')), 'sha512'],
    ['P-384', () => ec('P-384'), sequence(oid('1.2.840.10045.4.3.3')), 'sha384'],
    ['P-521', () => ec('P-521'), sequence(oid('1.2.840.10045.4.3.4')), 'sha512'],
    ['secp256k1', () => ec('secp256k1'), P256, 'sha256'],
    ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 }), rsa(11), 'sha256'],
    ['RSA with SHA-384', () => generateKeyPairSync('rsa', { modulusLength: 2048 }), rsa(12), 'sha384'],
    [
      'RSA without parameters of the signature',
      () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
      sequence(oid('1.2.840.113549.1.1.13')),
      'sha512',
    ],
    ['Ed25519', () => generateKeyPairSync('ed25519'), sequence(oid('1.3.101.112')), null],
    ['Ed448', () => generateKeyPairSync('ed448'), sequence(oid('1.3.101.113')), null],
  ]
  it.each(rows)('proves itself: %s', (_, keyPair, algorithm, hash) => {
    const { publicKey, privateKey } = keyPair()
    const spki = publicKey.export({ format: 'der', type: 'spki' })
    const der = craftRequest({ spki, key: privateKey, hash, algorithm })
    expect(outcome(der)).toBeNull()
    const spoilt = Buffer.from(der)
    spoilt[spoilt.length - 1] = (spoilt[spoilt.length - 1] ?? 0) ^ 1
    expect(outcome(spoilt)).toBe('ERR_TLACACOCA_CSR_UNPROVEN')
  })
})

// Each shows first that Node alone would be content, with the older releases at least.
describe('a signature that needs no private key', () => {
  const jwk = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })

  it('is refused where the exponent is 1', () => {
    const key = createPublicKey({ key: { ...jwk, e: 'AQ' }, format: 'jwk' })
    const message = bytes('01 02 03')
    expect(verify('sha256', message, key, padded(message))).toBe(true)
    const der = craftRequest({
      spki: key.export({ format: 'der', type: 'spki' }),
      algorithm: sequence(oid('1.2.840.113549.1.1.11'), bytes('05 00')),
      signature: padded,
    })
    expect(outcome(der)).toBe('ERR_TLACACOCA_CSR_KEY_REFUSED')
  })

  // With a point of order 8 one request in eight or so has such a signature, and whoever makes them can try.
  it.each([
    ['1', `01 ${'00'.repeat(31)}`],
    ['2', `ec ${'ff'.repeat(30)} 7f`],
    ['4', '00'.repeat(32)],
    ['8', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'],
    ['8, on the other side', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'],
  ])('is refused where the key is a point of Ed25519 of order %s', (_, point) => {
    const spki = publicKeyInfo([oid('1.3.101.112')], bytes(point))
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
    const neutral = Buffer.concat([bytes('01'), Buffer.alloc(31)])
    const forged = Buffer.concat([neutral, Buffer.alloc(32)])
    let accepted = 0
    for (let attempt = 0; attempt < 100; attempt++) {
      const der = craftRequest({
        spki,
        subject: name(`attempt ${attempt}`),
        algorithm: sequence(oid('1.3.101.112')),
        signature(signedPart) {
          if (verify(null, signedPart, key, forged)) accepted++
          return forged
        },
      })
      expect(outcome(der)).toBe('ERR_TLACACOCA_CSR_KEY_REFUSED')
    }
    // Newer releases of Node refuse such a key themselves.
    if (NODE < 24) expect(accepted).toBeGreaterThan(0)
  })

  it('is refused where the key is a point of Ed448 of a small order', () => {
    for (const point of [`01 ${'00'.repeat(56)}`, '00'.repeat(57), `fe ${'ff'.repeat(27)} fe ${'ff'.repeat(27)} 00`]) {
      const spki = publicKeyInfo([oid('1.3.101.113')], bytes(point))
      const signature = () => Buffer.concat([bytes(point), Buffer.alloc(57)])
      expect(outcome(craftRequest({ spki, algorithm: sequence(oid('1.3.101.113')), signature }))).toBe(
        'ERR_TLACACOCA_CSR_KEY_REFUSED',
      )
    }
  })
})

describe('a key in two forms', () => {
  it('has two fingerprints, so only one of the forms is taken', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
    const [left, right] = [Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]
    const compressed = ecKey('1.2.840.10045.3.1.7', Buffer.concat([bytes((right[31] ?? 0) % 2 ? '03' : '02'), left]))
    const other = createPublicKey({ key: Buffer.from(compressed), format: 'der', type: 'spki' })
    expect(verify('sha256', left, other, sign('sha256', left, privateKey))).toBe(true)
    expect(
      outcome(craftRequest({ spki: publicKey.export({ format: 'der', type: 'spki' }), key: privateKey })),
    ).toBeNull()
    expect(outcome(craftRequest({ spki: compressed, key: privateKey }))).toBe('ERR_TLACACOCA_CSR_KEY_REFUSED')
  })
})

describe('requireProof', () => {
  it('can be asked again, and answers the same', () => {
    const good = CertificateRequest.from(craftRequest())
    good.requireProof()
    good.requireProof()
    const bad = CertificateRequest.from(craftRequest({ signature: () => bytes('30 06 02 01 00 02 01 00') }))
    for (let time = 0; time < 2; time++) {
      expect(() => bad.requireProof()).toThrow(expect.objectContaining({ code: 'ERR_TLACACOCA_CSR_UNPROVEN' }))
    }
  })

  it('says what to do in its message', () => {
    const weak = CertificateRequest.from(craftRequest({ hash: 'sha1', algorithm: sequence(oid('1.2.840.10045.4.1')) }))
    expect(() => weak.requireProof()).toThrow(/SHA-256 or better/)
  })
})

// What would end this process is tried in others. The first of the tests shows that the danger is real.
describe('a request with the point at infinity for a key', () => {
  const spki = Buffer.from(ecKey('1.2.840.10045.3.1.7', bytes('00')))
  const der = Buffer.from(craftRequest({ spki }))

  function run(program: string) {
    const module = fileURLToPath(new URL('../../src/certificate/certificate-request.ts', import.meta.url))
    const source = `
      import { createPublicKey } from 'node:crypto'
      import { CertificateRequest } from ${JSON.stringify(module)}
      const spki = Buffer.from('${spki.toString('hex')}', 'hex')
      const der = Buffer.from('${der.toString('hex')}', 'hex')
      const attempt = (what) => { try { what(); console.log('done') } catch (error) { console.log(error.code) } }
      ${program}
      console.log('alive')`
    const child = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', source])
    return { signal: child.signal, output: child.stdout.toString() }
  }

  it.runIf(NODE < 24)("ends the process if its key reaches Node's details", () => {
    const { signal, output } = run(
      `attempt(() => createPublicKey({ key: spki, format: 'der', type: 'spki' }).asymmetricKeyDetails)`,
    )
    expect(signal).toBe('SIGABRT')
    expect(output).not.toContain('alive')
  })

  it('is refused before it gets there', () => {
    const { signal, output } = run(`
      attempt(() => CertificateRequest.from(der))
      attempt(() => CertificateRequest.from(der).requireProof())`)
    expect(signal).toBeNull()
    expect(output).toBe(`${'ERR_TLACACOCA_CSR_KEY_REFUSED\n'.repeat(2)}alive\n`)
  })
})

it('nesting that would end a reader that recurses is refused in no time', () => {
  let inside: Uint8Array = bytes('05 00')
  for (let level = 0; level < 7000; level++) inside = element(0x30, inside)
  expect(outcome(craftRequest({ subject: inside }))).toBe('ERR_TLACACOCA_CSR_MALFORMED')
})
