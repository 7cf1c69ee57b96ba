// A request comes in and a certificate goes out: reading, proof of possession, what the certificate says, a signature. The
// floor is the cryptography in it: a stranger's key has to be imported, one signature verified, and one made.

import { createHash, createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign, verify } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import { CertificateAuthority } from '../../../src/authority/certificate-authority.ts'
import { SqliteIssuedStore } from '../../../src/authority/sqlite-issued-store.ts'
import type { Certificate } from '../../../src/certificate/certificate.ts'
import { loadCertificateBuilder } from '../../../src/certificate/certificate-builder.ts'
import { CertificateRequest } from '../../../src/certificate/certificate-request.ts'
import { createCertificateRequest } from '../../../src/certificate/certificate-request-create.ts'
import { generateSelfSignedCertificate } from '../../../src/certificate/generate.ts'
import { signerFor } from '../../../src/certificate/signing.ts'
import type { Operation, Pair, PairSource } from '../measure.ts'
import { haveOpenssl, havePython, PythonLoop, runOpenssl } from '../programs.ts'

type Key = 'P-256' | 'RSA-2048'

interface Authority {
  readonly certificate: Certificate
  readonly privateKey: KeyObject
}

export const authoritySources: readonly PairSource[] = (['P-256', 'RSA-2048'] as const).flatMap((key) => [
  { name: `request and certificate, ${key}`, make: () => signingPair(key) },
  { name: `authority.sign, ${key}, store none`, make: () => wholePair(key, 'none') },
  { name: `authority.sign, ${key}, store SQLite`, make: () => wholePair(key, 'SQLite') },
])

async function signingPair(key: Key): Promise<Pair> {
  const made = await generateSelfSignedCertificate({ hostname: 'ca.example.org', isCA: true, key })
  const authority = { certificate: made.certificate, privateKey: createPrivateKey(made.privateKeyPem) }
  const { request } = await createCertificateRequest({ key, subject: [['CN', 'Ana']] })
  return {
    goal: 3,
    floor: cryptographyAlone(request, authority),
    ours: await ours(request, authority),
    peers: {
      '@peculiar/x509': await byPeculiar(request, authority, key),
      ...byOpenssl(request, authority),
      ...byPython(request, authority),
    },
    close: () => {
      for (const stop of stops) stop()
    },
    // Serial numbers and signatures are random, and the floor makes no certificate at all.
    compared: false,
  }
}

/**
 * All that an authority does: the same, and the profile, the draft and its checks, the certificate verified before it is
 * handed out. With a store two commits come on top, each on the disk before it goes on.
 */
async function wholePair(key: Key, store: 'none' | 'SQLite'): Promise<Pair> {
  const made = await generateSelfSignedCertificate({ hostname: 'ca.example.org', isCA: true, key })
  const privateKey = createPrivateKey(made.privateKeyPem)
  const { certificate } = made
  const { request } = await createCertificateRequest({ key, subject: [['CN', 'Ana']] })
  const folder = mkdtempSync(join(tmpdir(), 'tlacacoca-bench-'))
  const kept = store === 'none' ? store : await SqliteIssuedStore.open(join(folder, 'ours.db'))
  const identity = { certificate, privateKey, chain: [], path: null, warnings: [] }
  const authority = await CertificateAuthority.from(identity, { store: kept })
  const cryptography = cryptographyAlone(request, { certificate, privateKey })
  const bare = store === 'none' ? null : twoCommits(join(folder, 'bare.db'), certificate.der)
  const der = request.der
  return {
    goal: 3,
    async floor() {
      bare?.begin()
      await cryptography(null)
      bare?.complete()
    },
    // With a name of the caller's it is another certificate each time, and not the last one once more.
    ours: async () => (await authority.sign({ request: der, subject: [['CN', 'Ana']] })).certificatePem,
    compared: false,
    async close() {
      await authority.close()
      bare?.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A row before the signature and the certificate after it, in a database that loses neither to a power cut. */
function twoCommits(path: string, der: Uint8Array) {
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.exec('CREATE TABLE certificate(number INTEGER PRIMARY KEY, serial TEXT UNIQUE, der BLOB)')
  const insert = db.prepare('INSERT INTO certificate(serial) VALUES (?)')
  const update = db.prepare('UPDATE certificate SET der = ? WHERE serial = ?')
  let serial = ''
  return {
    begin() {
      serial = randomBytes(17).toString('hex')
      insert.run(serial)
    },
    complete: () => update.run(der, serial),
    close: () => db.close(),
  }
}

const signAsync = promisify<string, Uint8Array, KeyObject, Buffer>(sign)

function cryptographyAlone(request: CertificateRequest, { privateKey }: Authority): Operation {
  const spki = Buffer.from(request.subjectPublicKeyInfo)
  const signed = Buffer.alloc(300)
  // As long as the request's own, and made by the key of the authority: any key costs the same.
  const signature = sign('sha256', signed, privateKey)
  // EC is quick enough to be signed with where one stands; RSA belongs on the thread pool, also for us.
  const make = privateKey.asymmetricKeyType === 'rsa' ? signAsync : sign
  return async () => {
    verify('sha256', signed, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature)
    return make('sha256', signed, privateKey)
  }
}

/** What an authority does for each request, with everything encoded once that is the same for all of them. */
async function ours(request: CertificateRequest, { certificate, privateKey }: Authority): Promise<Operation> {
  const der = request.der
  const builder = await loadCertificateBuilder()
  const signer = signerFor(privateKey, certificate.subjectPublicKeyInfo)
  const { extensions: make } = builder
  const constant = [
    make.basicConstraints({ ca: false }),
    make.keyUsage(['digitalSignature']),
    make.extendedKeyUsage(['clientAuth']),
    make.authorityKeyIdentifier(certificate),
  ]
  const issuer = certificate.subjectDer
  return async () => {
    const received = CertificateRequest.from(der)
    received.requireProof()
    const spki = received.subjectPublicKeyInfo
    const now = Date.now()
    const signedPart = builder.signedPart(
      {
        issuer,
        subject: builder.name([{ oid: '2.5.4.3', value: received.subject.commonName ?? '' }]),
        validity: { notBefore: new Date(now - 300_000), notAfter: new Date(now + 90 * 86_400_000) },
        spki,
        extensions: [...constant, make.subjectKeyIdentifier(spki)],
      },
      signer,
    )
    return builder.assemble(signedPart, signer, await signer.sign(signedPart)).fingerprint
  }
}

async function byPeculiar(
  request: CertificateRequest,
  { certificate, privateKey }: Authority,
  key: Key,
): Promise<Operation> {
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  const signingAlgorithm =
    key === 'P-256'
      ? { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
      : { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  const provider = crypto as Parameters<typeof x509.X509CertificateGenerator.create>[1]
  const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' })
  const signingKey = await crypto.subtle.importKey('pkcs8', pkcs8, signingAlgorithm, false, ['sign'])
  const der = new Uint8Array(request.der)
  const issuer = new x509.X509Certificate(new Uint8Array(certificate.der)).subject
  const keyIdentifier = createHash('sha1').update(certificate.subjectPublicKeyInfo).digest('hex')
  return async () => {
    const received = new x509.Pkcs10CertificateRequest(der)
    if (!(await received.verify(provider))) throw new Error('the request does not verify')
    const now = Date.now()
    const issued = await x509.X509CertificateGenerator.create(
      {
        subject: received.subject,
        issuer,
        notBefore: new Date(now - 300_000),
        notAfter: new Date(now + 90 * 86_400_000),
        publicKey: received.publicKey,
        signingKey,
        signingAlgorithm,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
          new x509.AuthorityKeyIdentifierExtension(keyIdentifier),
          await x509.SubjectKeyIdentifierExtension.create(received.publicKey, false, provider),
        ],
      },
      provider,
    )
    return issued.rawData
  }
}

const stops: (() => void)[] = []

/** A process for each certificate. */
function byOpenssl(request: CertificateRequest, { certificate, privateKey }: Authority): Record<string, Operation> {
  if (!haveOpenssl) return {}
  const folder = mkdtempSync(join(tmpdir(), 'tlacacoca-bench-'))
  stops.push(() => rmSync(folder, { recursive: true, force: true }))
  const [csr, ca, key] = ['request.pem', 'ca.pem', 'ca.key'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  writeFileSync(csr, request.toPem())
  writeFileSync(ca, certificate.toPem())
  writeFileSync(key, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 })
  return {
    'an openssl process': () => runOpenssl(['x509', '-req', '-in', csr, '-CA', ca, '-CAkey', key, '-days', '90']),
  }
}

/** The package `cryptography`, in a process that stays. */
function byPython(request: CertificateRequest, { certificate, privateKey }: Authority): Record<string, Operation> {
  if (!havePython) return {}
  let loop: PythonLoop | null = null
  return {
    'cryptography of Python': () => {
      if (loop === null) {
        loop = new PythonLoop(PYTHON, [
          request.toPem(),
          certificate.toPem(),
          privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
        ])
        stops.push(() => loop?.stop())
      }
      return loop.once()
    },
  }
}

const PYTHON = `
import datetime
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

pem = inputs[0].encode()
ca = x509.load_pem_x509_certificate(inputs[1].encode())
key = serialization.load_pem_private_key(inputs[2].encode(), None)

def once():
    request = x509.load_pem_x509_csr(pem)
    if not request.is_signature_valid:
        raise ValueError('the request does not verify')
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(request.subject).issuer_name(ca.subject).public_key(request.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + datetime.timedelta(days=90))
        .add_extension(x509.BasicConstraints(False, None), True)
        .add_extension(x509.KeyUsage(True, False, False, False, False, False, False, False, False), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(request.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.public_key()), False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
`
