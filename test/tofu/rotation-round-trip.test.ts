// A rotation from both ends: a server of ours takes a new key, and a client of ours that knows the old one comes by.

import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Certificate } from '../../src/certificate/certificate.ts'
import { loadCertificateBuilder } from '../../src/certificate/certificate-builder.ts'
import { generateSelfSignedCertificate } from '../../src/certificate/generate.ts'
import { type NameField, readNameFields } from '../../src/certificate/name-fields.ts'
import { loadPrivateKey } from '../../src/certificate/private-key.ts'
import { renewCertificate } from '../../src/certificate/renew.ts'
import { rotateCertificate } from '../../src/certificate/rotate-certificate.ts'
import { signerFor } from '../../src/certificate/signing.ts'
import { endpointFrom } from '../../src/names/endpoint.ts'
import { connect } from '../../src/tls/connect.ts'
import { createServer } from '../../src/tls/server.ts'
import { createServerContext } from '../../src/tls/server-context.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import type { Verdict } from '../../src/tofu/verdict.ts'
import { forgeCertificate } from '../support/forged-certificates.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { testServer } from '../support/tls-server.ts'

interface Shown {
  readonly cert: string
  readonly key: string
}

/** A server whose certificate can be exchanged, and a client that remembers it. */
async function world(first: Shown) {
  const folder = await temporaryFolder()
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const write = async ({ cert, key }: Shown) => {
    await writeFile(certFile, cert)
    await writeFile(keyFile, key, { mode: 0o600 })
  }
  await write(first)
  const context = await createServerContext({ certificates: [{ certFile, keyFile }], clientCertificates: 'request' })
  const server = createServer(context, ({ stream }) => void stream.end('hello'))
  const { port } = await server.listen(0, '127.0.0.1')
  onTestFinished(() => server.close({ graceMs: 0 }))

  let now = Date.now()
  const verdicts: Verdict[] = []
  const known = TofuStore.inMemory({
    clock: () => now,
    onEvent: (event) => 'verdict' in event && verdicts.push(event.verdict),
  })
  const endpoint = endpointFrom('localhost', port)
  return {
    known,
    endpoint,
    /** The server shows something else from now on. */
    async show(next: Shown): Promise<void> {
      await write(next)
      await context.reload()
    },
    later(ms: number): void {
      now += ms
    },
    /** What the client makes of a visit: the ground on which it went on, or the verdict on which it did not. */
    async visit(): Promise<string> {
      const before = verdicts.length
      try {
        const { stream, peer } = await connect({ endpoint, verify: known.verifier() })
        expect(await text(stream)).toBe('hello')
        return peer.acceptedBy.replace('tofu: ', '')
      } catch (error) {
        // Whatever else goes wrong is no refusal.
        const verdict = verdicts[before]
        if (verdict === undefined) throw error
        return `refused: ${verdict.kind}`
      }
    },
    lastVerdict: () => verdicts.at(-1),
  }
}

const shown = (made: { certificatePem: string; chainPem?: string; privateKeyPem: string }): Shown => ({
  cert: made.chainPem ?? made.certificatePem,
  key: made.privateKeyPem,
})

const YEAR_MS = 365 * 86_400_000

describe('a client that knows the old key', () => {
  it.each([
    ['P-256', 'P-256', 'chain'],
    ['P-256', 'RSA-2048', 'alone'],
    ['RSA-2048', 'Ed25519', 'chain'],
    ['Ed25519', 'P-384', 'alone'],
    ['P-384', 'P-256', 'chain'],
  ] as const)('follows a server from %s to %s (shown: %s)', async (before, after, how) => {
    const old = await generateSelfSignedCertificate({ hostname: 'localhost', key: before })
    const { known, endpoint, visit, show, lastVerdict } = await world(shown(old))
    expect(await visit()).toBe('first_use')
    const next = await rotateCertificate({ certificate: old.certificate, privateKey: old.privateKeyPem, key: after })
    await show(how === 'chain' ? shown(next) : { cert: next.certificatePem, key: next.privateKeyPem })
    expect(await visit()).toBe('rotated')
    expect(lastVerdict()).toMatchObject({
      kind: 'rotated',
      accepted: true,
      reason: 'signed_by_pinned_key',
      pinned: old.fingerprint,
      presented: next.fingerprint,
    })
    expect(await visit()).toBe('trusted')

    await show(shown(old))
    expect(await visit()).toBe('refused: changed')
    expect((await known.getHostInfo(endpoint))?.fingerprint).toBe(next.fingerprint)
  })

  it('follows it step by step, and stays behind if it missed one', async () => {
    const first = await generateSelfSignedCertificate({ hostname: 'localhost' })
    const second = await rotateCertificate({ certificate: first.certificate, privateKey: first.privateKeyPem })
    const third = await rotateCertificate({ certificate: second.certificate, privateKey: second.privateKeyPem })

    const regular = await world(shown(first))
    expect(await regular.visit()).toBe('first_use')
    for (const next of [second, third]) {
      await regular.show(shown(next))
      expect(await regular.visit()).toBe('rotated')
    }
    const renewed = await renewCertificate({ certificate: third.certificate, privateKey: third.privateKeyPem })
    await regular.show({ cert: renewed.certificatePem, key: third.privateKeyPem })
    expect(await regular.visit()).toBe('renewed')

    const rare = await world(shown(first))
    expect(await rare.visit()).toBe('first_use')
    await rare.show(shown(third))
    expect(await rare.visit()).toBe('refused: changed')
    await rare.show({ cert: third.chainPem + first.certificatePem, key: third.privateKeyPem })
    expect(await rare.visit()).toBe('refused: changed')
  })

  it.each(['sha256', 'sha512', 'spki-sha256'] as const)(
    'by nothing but a fingerprint (%s) follows it if it shows the old certificate beside the new one',
    async (kind) => {
      const { certificate, privateKeyPem } = await generateSelfSignedCertificate({ hostname: 'localhost' })
      const next = await rotateCertificate({ certificate, privateKey: privateKeyPem })
      const { known, endpoint, visit, show } = await world(shown(next))
      const { fingerprint: sha256, sha512Fingerprint: sha512, publicKeyFingerprint: key } = certificate
      await known.trust(endpoint, { sha256, sha512, 'spki-sha256': key }[kind])
      await show({ cert: next.certificatePem, key: next.privateKeyPem })
      expect(await visit()).toBe('refused: changed')
      await show(shown(next))
      expect(await visit()).toBe('rotated')
      expect(await visit()).toBe('trusted')
    },
  )

  it('follows it although the old certificate has expired meanwhile: its key is what is believed', async () => {
    const old = await generateSelfSignedCertificate({ hostname: 'localhost', validDays: 30 })
    const { visit, show, later, lastVerdict } = await world(shown(old))
    expect(await visit()).toBe('first_use')
    later(YEAR_MS / 2)
    const next = await rotateCertificate({
      certificate: old.certificate,
      privateKey: old.privateKeyPem,
      validDays: 730,
    })
    await show(shown(next))
    expect(await visit()).toBe('rotated')
    expect(lastVerdict()).toMatchObject({ reason: 'signed_by_pinned_key', pinnedExpired: true })
  })

  it('does not follow it when the new certificate has expired too: the old key’s word had an end', async () => {
    const old = await generateSelfSignedCertificate({ hostname: 'localhost', validDays: 30 })
    const { visit, show, later } = await world(shown(old))
    expect(await visit()).toBe('first_use')
    const next = await rotateCertificate({ certificate: old.certificate, privateKey: old.privateKeyPem, validDays: 60 })
    await show(shown(next))
    later(YEAR_MS)
    expect(await visit()).toBe('refused: changed')
  })

  // The owner went back to the old key, because the new one was stolen, and a person confirmed that. The old key has signed
  // for the new one, and whoever has that can still show it.
  it('is not led back to a key that was given up', async () => {
    const old = await generateSelfSignedCertificate({ hostname: 'localhost' })
    const stolen = await rotateCertificate({ certificate: old.certificate, privateKey: old.privateKeyPem })
    const { known, endpoint, visit, show } = await world(shown(old))
    expect(await visit()).toBe('first_use')
    await show(shown(stolen))
    expect(await visit()).toBe('rotated')
    await known.trust(endpoint, old.certificate)
    expect(await visit()).toBe('refused: changed')
    const renewedByTheThief = await renewCertificate({
      certificate: stolen.certificate,
      privateKey: stolen.privateKeyPem,
    })
    await show({ cert: renewedByTheThief.certificatePem, key: stolen.privateKeyPem })
    expect(await visit()).toBe('refused: changed')
  })

  it('believes nothing that a key says which is marked as never to be trusted', async () => {
    const old = await generateSelfSignedCertificate({ hostname: 'localhost' })
    const next = await rotateCertificate({ certificate: old.certificate, privateKey: old.privateKeyPem })
    const { known, endpoint, visit, show } = await world(shown(old))
    expect(await visit()).toBe('first_use')
    await known.distrust(endpoint, old.certificate.publicKeyFingerprint)
    expect(await visit()).toBe('refused: distrusted')
    await show(shown(next))
    expect(await visit()).not.toBe('rotated')
  })
})

// Each has the names of a rotation, and one thing is not as it should be.
describe('a client that knows the old key makes of', () => {
  interface Forgery {
    readonly subject?: readonly NameField[]
    readonly host?: string
  }

  /** A certificate that a key signs in the name of another certificate, with its own key. */
  async function issued(by: KeyObject, issuer: Certificate, { subject, host = 'localhost' }: Forgery = {}) {
    const builder = await loadCertificateBuilder()
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const spki = publicKey.export({ format: 'der', type: 'spki' })
    const certificate = await builder.build(
      {
        issuer: issuer.subjectDer,
        subject: builder.name(
          readNameFields(
            subject ?? [
              ['CN', host],
              ['GN', '2'],
            ],
          ),
        ),
        validity: { notBefore: new Date(Date.now() - YEAR_MS), notAfter: new Date(Date.now() + YEAR_MS) },
        spki,
        extensions: [
          builder.extensions.subjectAltName({ dns: [host], ip: [], email: [], uri: [] }, { critical: false }),
        ],
      },
      signerFor(by, issuer.subjectPublicKeyInfo),
    )
    return {
      certificate,
      cert: certificate.toPem(),
      key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      privateKey,
    }
  }

  it.each([
    ['nothing but what is right', 'rotated', (key: KeyObject, old: Certificate) => issued(key, old)],
    [
      'a signature by another key',
      'refused: changed',
      (_: KeyObject, old: Certificate) => issued(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, old),
    ],
    [
      'another host',
      'refused: changed',
      (key: KeyObject, old: Certificate) =>
        issued(key, old, {
          host: 'www.localhost',
          subject: [
            ['CN', 'localhost'],
            ['GN', '2'],
          ],
        }),
    ],
    [
      'a mailbox',
      'refused: changed',
      (key: KeyObject, old: Certificate) =>
        issued(key, old, {
          subject: [
            ['CN', 'Mary'],
            ['UID', 'mary'],
          ],
        }),
    ],
    [
      'another certificate between them',
      'refused: changed',
      async (key: KeyObject, old: Certificate) => {
        const between = await issued(key, old)
        const last = await issued(between.privateKey, between.certificate, {
          subject: [
            ['CN', 'localhost'],
            ['GN', '3'],
          ],
        })
        return { cert: last.cert + between.cert, key: last.key }
      },
    ],
  ])('a certificate with %s: %s', async (_, outcome, forge) => {
    const old = await generateSelfSignedCertificate({ hostname: 'localhost' })
    const { visit, show } = await world(shown(old))
    expect(await visit()).toBe('first_use')
    await show(await forge(await loadPrivateKey(old.privateKeyPem), old.certificate))
    expect(await visit()).toBe(outcome)
  })

  it.each([
    ['sha256', 'rotated'],
    ['sha1', 'changed'],
  ] as const)('a certificate that is signed over %s: %s', async (hash, kind) => {
    const former = forgeCertificate({ commonName: 'localhost', hosts: ['localhost'], key: 'RSA-2048' })
    const certificate = forgeCertificate({ commonName: 'the next', hosts: ['localhost'], issuer: former, hash })
    // Our own servers do not take a certificate over SHA-1, and OpenSSL does only when told to.
    const { port } = await testServer({ certificate, ciphers: 'DEFAULT:@SECLEVEL=0' })
    const known = TofuStore.inMemory()
    const endpoint = endpointFrom('localhost', port)
    await known.trust(endpoint, former.certificate)
    expect((await known.judge(endpoint, certificate.certificate)).kind).toBe(kind)
    const visit = connect({ endpoint, verify: known.verifier() })
    if (kind === 'rotated') {
      expect((await visit).peer.acceptedBy).toBe('tofu: rotated')
      ;(await visit).stream.destroy()
    } else {
      await expect(visit).rejects.toMatchObject({ code: 'ERR_TLACACOCA_CERTIFICATE_CHANGED' })
    }
  })
})
