// An elliptic-curve key whose public half is the point at infinity makes Node abort the whole process, in a private key as
// in a certificate, and so does one whose private half is longer than its curve. What would end this process is tried in others.

import { spawnSync } from 'node:child_process'
import { createECDH } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { element, integer, oid } from '../../src/certificate/der-writer.ts'

const P256 = oid('1.2.840.10045.3.1.7')
const own = createECDH('prime256v1')
own.generateKeys()

function ecPrivateKey(scalar: Uint8Array, point: Uint8Array | null, ...parameters: Uint8Array[]): Uint8Array {
  const publicHalf = point === null ? [] : [element(0xa1, element(0x03, Uint8Array.of(0), point))]
  return element(0x30, integer(1), element(0x04, scalar), ...parameters, ...publicHalf)
}
const sec1 = (scalar: Uint8Array, point: Uint8Array | null) => ecPrivateKey(scalar, point, element(0xa0, P256))
const pkcs8 = (scalar: Uint8Array, point: Uint8Array | null) =>
  element(0x30, integer(0), element(0x30, oid('1.2.840.10045.2.1'), P256), element(0x04, ecPrivateKey(scalar, point)))

const scalar = own.getPrivateKey()
const infinity = Uint8Array.of(0)

/** Runs a program that has the key in `key` and the module under test in `module`. */
function run(der: Uint8Array, program: string) {
  const module = fileURLToPath(new URL('../../src/certificate/private-key.ts', import.meta.url))
  const source = `
    import { createPrivateKey, createPublicKey } from 'node:crypto'
    import * as module from ${JSON.stringify(module)}
    const key = Buffer.from('${Buffer.from(der).toString('hex')}', 'hex')
    ${program}`
  const child = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', source])
  return { signal: child.signal, output: child.stdout.toString() }
}

// After what `loadPrivateKey` lets through, asking OpenSSL for anything must be safe.
const useIt = `
  try {
    const loaded = await module.loadPrivateKey(key)
    console.log('loaded', loaded.asymmetricKeyDetails.namedCurve, loaded.export({ format: 'jwk' }).crv)
    createPublicKey(loaded).export({ format: 'jwk' })
  } catch (error) {
    console.log('refused', error.code)
  }`

describe('loadPrivateKey', () => {
  it('loads an ordinary key in both forms', () => {
    for (const der of [pkcs8(scalar, own.getPublicKey()), sec1(scalar, own.getPublicKey()), pkcs8(scalar, null)]) {
      expect(run(der, useIt)).toEqual({ signal: null, output: 'loaded prime256v1 P-256\n' })
    }
  })

  it.each([
    ['PKCS#8 with the point at infinity', pkcs8(scalar, infinity)],
    ['SEC1 with the point at infinity', sec1(scalar, infinity)],
    ['a scalar of zero', pkcs8(Buffer.alloc(32), null)],
    ['a scalar of zero and the point at infinity', sec1(Buffer.alloc(32), infinity)],
    ['an empty scalar', pkcs8(Buffer.alloc(0), null)],
    ['a scalar longer than its curve, in PKCS#8', pkcs8(Buffer.alloc(33, 0xf1), own.getPublicKey())],
    ['a scalar longer than its curve, in SEC1', sec1(Buffer.alloc(33, 0xf1), own.getPublicKey())],
    ['a scalar longer than its curve and no point', pkcs8(Buffer.alloc(64, 0xf1), null)],
    ['an empty point', pkcs8(scalar, Buffer.alloc(0))],
    ['a point that is not on the curve', pkcs8(scalar, Buffer.from([4, ...Buffer.alloc(64, 1)]))],
  ])('refuses %s before anybody can ask for its details', (_, der) => {
    expect(run(der, useIt)).toEqual({ signal: null, output: 'refused ERR_TLACACOCA_KEY_MALFORMED\n' })
  })
})

// A tripwire: when Node 20 or 22 no longer aborts, this fails, and the guard in private-key.ts can be thought over. Of Node
// 24, earlier releases abort and later ones (24.21) do not.
it.each([
  ['a point', pkcs8(scalar, infinity)],
  ['a scalar', pkcs8(Buffer.alloc(33, 0xf1), own.getPublicKey())],
])('guards against something real: Node aborts on such %s', (_, der) => {
  const direct = `createPrivateKey({ key, format: 'der', type: 'pkcs8' }).asymmetricKeyDetails`
  const [major = 0] = process.versions.node.split('.').map(Number)
  if (major < 24) expect(run(der, direct).signal).toBe('SIGABRT')
})
