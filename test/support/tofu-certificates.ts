// Pins and certificates that the tests of trust on first use share.

import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import type { Certificate } from '../../src/certificate/certificate.ts'
import { loadCertificateBuilder } from '../../src/certificate/certificate-builder.ts'
import { selfSignedExtensions } from '../../src/certificate/generate.ts'
import { generateKey } from '../../src/certificate/key-generation.ts'
import { signerFor } from '../../src/certificate/signing.ts'
import { canonicalHost } from '../../src/names/host.ts'
import type { Pin } from '../../src/tofu/pin.ts'

/** A pin of a certificate for `example.org:1965`, first seen ten days before 2030-06-01. */
export function pinOf(certificate: Certificate, facts: Partial<Pin> = {}): Pin {
  return {
    subject: 'example.org:1965',
    digest: certificate.fingerprint,
    state: 'trusted',
    keyDigest: certificate.publicKeyFingerprint,
    notAfter: certificate.notAfter,
    firstSeen: new Date('2030-05-22T12:00:00Z'),
    lastSeen: new Date('2030-06-01T00:00:00Z'),
    daysSeen: 7,
    source: 'first_use',
    note: null,
    ...facts,
  }
}

export interface SignedOptions {
  readonly host?: string | null
  readonly commonName?: string
  readonly userId?: string
}

/** A certificate for a new key that is signed by an old one, as in a rotation, or by a Misfin server for a mailbox. */
export async function certificateSignedBy(keyPem: string, options: SignedOptions = {}): Promise<Certificate> {
  const { host = 'example.org', commonName = 'example.org', userId } = options
  const builder = await loadCertificateBuilder()
  const spki = spkiOf((await generateKey('P-256')).privateKey)
  const signerKey = createPrivateKey(keyPem)
  const attributes = [{ oid: '2.5.4.3', value: commonName }]
  if (userId !== undefined) attributes.push({ oid: '0.9.2342.19200300.100.1.1', value: userId })
  const name = builder.name(attributes)
  return builder.build(
    {
      issuer: name,
      subject: name,
      validity: { notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2040-01-01T00:00:00Z') },
      spki,
      extensions: selfSignedExtensions(builder, {
        spki,
        hosts: host === null ? [] : [canonicalHost(host)],
        usage: 'server',
        isCA: false,
        nameless: false,
      }),
    },
    signerFor(signerKey, spkiOf(signerKey)),
  )
}

function spkiOf(key: KeyObject): Buffer {
  return createPublicKey(key).export({ format: 'der', type: 'spki' })
}
