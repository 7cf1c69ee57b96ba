// PEM, private keys, and what holds both.

import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { Certificate } from '../../../src/certificate/certificate.ts'
import { isSignedBy } from '../../../src/certificate/issuance.ts'
import { KeyedChain } from '../../../src/certificate/keyed-chain.ts'
import { parseCertificates } from '../../../src/certificate/load.ts'
import { formatPem, parsePem } from '../../../src/certificate/pem.ts'
import { BagCollection } from '../../../src/certificate/pkcs12-bags.ts'
import { loadForge, parseBer } from '../../../src/certificate/pkcs12-ber.ts'
import { RoundAccount } from '../../../src/certificate/pkcs12-keys.ts'
import { readPkcs12 } from '../../../src/certificate/pkcs12-read.ts'
import { loadPrivateKey } from '../../../src/certificate/private-key.ts'
import { readEncryptedPkcs8 } from '../../../src/certificate/private-key-encryption.ts'
import { TrustStore } from '../../../src/certificate/trust-store.ts'
import { CertificateError, ChainError, ContextError, Pkcs12Error, PrivateKeyError } from '../../../src/errors.ts'
import { readDhParams } from '../../../src/tls/sans-io/dh-parameters.ts'
import { issue } from '../../support/issued-certificates.ts'
import {
  bag,
  certificateBag,
  container,
  element,
  encrypted,
  friendlyName,
  integer,
  keyBag,
  localKeyId,
  mac,
  octets,
  oid,
  passphrase,
  pbes2,
  pkcs12Scheme,
  plain,
  sealedAs,
  sequence,
  shroudedBag,
} from '../../support/pkcs12.ts'
import { vectorPem } from '../../support/vectors.ts'
import { type FuzzTarget, hold, reading, readingLater, refusal, same } from '../engine/target.ts'
import { textOf } from '../engine/text.ts'

const root = issue({ subject: 'Root', ca: true })
const leaf = issue({ subject: 'Ana', names: [[2, 'ana.example']], by: root })
const ec = leaf.keys.privateKey
const ed25519 = generateKeyPairSync('ed25519').privateKey
const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey

const pkcs8 = (key: KeyObject): Buffer => key.export({ format: 'der', type: 'pkcs8' })
const KEYS: readonly Buffer[] = [
  pkcs8(ec),
  ec.export({ format: 'der', type: 'sec1' }),
  pkcs8(ed25519),
  rsa.export({ format: 'der', type: 'pkcs1' }),
]

export const pem: FuzzTarget = {
  name: 'pem',
  source: ['certificate/pem.ts'],
  holds: 'blocks written again are read as the same; line ends and words around them make no difference',
  shape: 'lines',
  maxBytes: 1500,
  seeds: () => [
    formatPem('CERTIFICATE', Buffer.alloc(100, 1)),
    `words\n${formatPem('PRIVATE KEY', Buffer.alloc(48, 2))}\nmore\n${formatPem('X509 CRL', Buffer.alloc(1, 3))}`,
    `-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n`,
    '',
  ],
  words: [
    '-----BEGIN CERTIFICATE-----',
    '-----END CERTIFICATE-----',
    '-----',
    '\r\n',
    '=',
    '==',
    'Proc-Type: 4,ENCRYPTED\n',
    '\ufeff',
  ],
  run(input) {
    const text = textOf(input)
    return reading(
      () => parsePem(text),
      [CertificateError],
      (blocks) => {
        const plainOnes = blocks.filter(({ headers }) => headers.length === 0)
        const again = parsePem(plainOnes.map(({ label, der }) => `between\r\n${formatPem(label, der)}`).join(''))
        same(shown(again), shown(plainOnes), 'written again')
        if (!text.includes('\r'))
          same(shown(parsePem(text.replaceAll('\n', '\r\n'))), shown(blocks), 'with other line ends')
      },
    )
  },
}

function shown(blocks: readonly { readonly label: string; readonly der: Uint8Array }[]): string {
  return blocks.map(({ label, der }) => `${label} ${Buffer.from(der).toString('base64')}`).join()
}

const BUNDLE = vectorPem('example-org') + vectorPem('ed25519')

export const certificateBundle: FuzzTarget = {
  name: 'certificate-bundle',
  source: [
    'certificate/load.ts',
    'certificate/pem.ts',
    'certificate/source.ts',
    'certificate/trust-store.ts',
    'certificate/strict-pem.ts',
  ],
  holds:
    'certificates with canonical fingerprints; a strict reader finds the same ones or refuses; as bytes it is the same text',
  shape: 'lines',
  maxBytes: BUNDLE.length + 400,
  seeds: () => [BUNDLE, vectorPem('ed25519'), root.certificate.toPem(), `# mine\n${root.certificate.toPem()}`],
  words: [
    '-----BEGIN CERTIFICATE-----\n',
    '-----END CERTIFICATE-----\n',
    '-----BEGIN PRIVATE KEY-----',
    '# ',
    'subject=',
    '\ufeff',
  ],
  run(input) {
    const text = textOf(input)
    let strict: number | null = null
    const strictly = reading(
      () => TrustStore.fromPem(text, { allowComments: true }),
      [ChainError, CertificateError],
      ({ size }) => {
        strict = size
      },
    )
    return reading(
      () => parseCertificates(text),
      [CertificateError],
      (list) => {
        const prints = list.map((each) => each.fingerprint)
        if (strict !== null) same(strict, new Set(prints).size, `authorities (${strictly})`)
        for (const each of list) hold(Certificate.from(each.toPem()).equals(each), 'the same from PEM')
        if (list.length === 1) same(Certificate.from(input).fingerprint, prints[0], 'as bytes')
        hold(
          prints.every((print) => /^sha256:[0-9a-f]{64}$/.test(print)),
          'canonical',
        )
      },
    )
  },
}

export const privateKey: FuzzTarget = {
  name: 'private-key',
  source: ['certificate/private-key.ts', 'certificate/legacy-key-encryption.ts'],
  holds: 'a key that can be asked for everything and is the same from what it exports; no message shows any of it',
  runs: 20_000,
  why: 'OpenSSL takes 300 µs for each',
  shape: 'der',
  maxBytes: 1300,
  outcomes: ['read', 'ERR_TLACACOCA_KEY_MALFORMED'],
  seeds: () => [...KEYS, Buffer.from(formatPem('PRIVATE KEY', pkcs8(ec))), Buffer.from(LEGACY)],
  async run(input) {
    return readingLater(
      () => loadPrivateKey(input, { passphrase }),
      [PrivateKeyError],
      async (key) => {
        void key.asymmetricKeyDetails
        const again = await loadPrivateKey(pkcs8(key))
        hold(again.equals(key), 'the same from what it exports')
      },
    )
  },
}

const LEGACY = ec.export({ format: 'pem', type: 'sec1', cipher: 'aes-128-cbc', passphrase }).toString()

const scrypt = (n: number, r: number, p: number): Uint8Array =>
  sequence(oid('1.3.6.1.4.1.11591.4.11'), sequence(octets(Buffer.alloc(8)), integer(n), integer(r), integer(p)))
const withScrypt = sequence(
  oid('1.2.840.113549.1.5.13'),
  sequence(scrypt(16_384, 8, 1), sequence(oid('2.16.840.1.101.3.4.1.42'), octets(Buffer.alloc(16)))),
)

export const encryptedKey: FuzzTarget = {
  name: 'encrypted-key',
  source: ['certificate/private-key-encryption.ts'],
  holds: 'priced and refused before any derivation: what is read asks for no more than the limits',
  why: 'the layer under the derivation of keys, which is never run: its price is named by the input',
  shape: 'der',
  seeds: () => [
    sequence(pbes2(integer(600_000)), octets(Buffer.alloc(48))),
    sequence(withScrypt, octets(Buffer.alloc(48))),
    sequence(pkcs12Scheme(3, integer(2048)), octets(Buffer.alloc(48))),
  ],
  run(input) {
    return reading(
      () => readEncryptedPkcs8(input),
      [PrivateKeyError, CertificateError],
      (read) => hold(read === 'openssl' || typeof read.open === 'function', 'a way to open it'),
    )
  },
}

export const pkcs12: FuzzTarget = {
  name: 'pkcs12',
  source: [
    'certificate/pkcs12-read.ts',
    'certificate/pkcs12-ber.ts',
    'certificate/pkcs12-mac.ts',
    'certificate/pkcs12-encryption.ts',
    'certificate/pkcs12-oids.ts',
  ],
  holds:
    'an answer with a code, and no derivation of more than eight iterations; nothing is read that has not the right MAC',
  why: 'files of one iteration, and a limit of eight for the whole of a file: the readers are the same and the derivation is short',
  shape: 'der',
  maxBytes: 1500,
  seeds: async () => [
    await sealedAs(SAFE),
    container(SAFE, mac(integer(1))),
    container(SAFE, null),
    await sealedAs(
      sequence(
        encrypted(pbes2(integer(1)), Buffer.alloc(32)),
        plain(shroudedBag(pkcs12Scheme(3, integer(1)), Buffer.alloc(16))),
      ),
    ),
  ],
  outcomes: ['read', 'ERR_TLACACOCA_PKCS12_MALFORMED', 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG'],
  run: (input) => opened(input),
}

const SAFE = sequence(
  plain(certificateBag(leaf.certificate, friendlyName('Ana'), localKeyId(1)), certificateBag(root.certificate)),
  plain(keyBag(ec, localKeyId(1))),
)

async function opened(input: Uint8Array): Promise<string> {
  return readingLater(
    () => readPkcs12(input, { passphrase, maxIterations: 8 }),
    [Pkcs12Error, PrivateKeyError, CertificateError],
    ({ entries, otherPrivateKeys, otherCertificates }) => {
      for (const { certificate, privateKey: key, friendlyName: shownName } of entries) {
        hold(certificate.fingerprint.startsWith('sha256:'), 'a certificate')
        void key.asymmetricKeyDetails
        hold(shownName === null || shownName.length <= input.length, 'a name that is there')
      }
      for (const key of otherPrivateKeys) void key.asymmetricKeyDetails
      hold(entries.length + otherCertificates.length <= 1000, 'no more certificates than are read')
    },
  )
}

export const pkcs12Contents: FuzzTarget = {
  name: 'pkcs12-contents',
  source: [
    'certificate/pkcs12-bags.ts',
    'certificate/pkcs12-entries.ts',
    'certificate/pkcs12-private-key.ts',
    'certificate/pkcs12-read.ts',
  ],
  holds: 'the same with the right MAC around it, as a hostile writer makes it',
  why: 'one iteration, as above',
  shape: 'der',
  maxBytes: 1500,
  seeds: () => [
    SAFE,
    sequence(plain(keyBag(ed25519), bag(4, octets(Buffer.alloc(4))), bag(6, plain(keyBag(ec))))),
    sequence(plain(bag(6, sequence(keyBag(ed25519), certificateBag(root.certificate))))),
  ],
  outcomes: ['read', 'ERR_TLACACOCA_PKCS12_MALFORMED', 'ERR_TLACACOCA_KEY_MALFORMED'],
  run: async (input) => opened(await sealedAs(input)),
}

export const pkcs12Bags: FuzzTarget = {
  name: 'pkcs12-bags',
  source: ['certificate/pkcs12-ber.ts', 'certificate/pkcs12-bags.ts', 'certificate/pkcs12-encryption.ts'],
  holds: 'bags that are there, no more than are read and none larger than a key; what they ask for is priced',
  why: 'the layer under MAC and derivation',
  shape: 'der',
  maxBytes: 1500,
  outcomes: ['read', 'ERR_TLACACOCA_PKCS12_MALFORMED'],
  seeds: () => [
    sequence(certificateBag(leaf.certificate, friendlyName('Ana'), localKeyId(1)), keyBag(ec, localKeyId(1))),
    sequence(bag(6, sequence(keyBag(ed25519))), bag(4, octets(Buffer.alloc(4)))),
    sequence(
      shroudedBag(pkcs12Scheme(3, integer(1)), Buffer.alloc(16)),
      shroudedBag(pbes2(integer(1)), Buffer.alloc(32)),
    ),
  ],
  run(input) {
    return reading(
      () => {
        const bags = new BagCollection({ forge: FORGE, account: new RoundAccount(1000) })
        bags.addAll(parseBer(FORGE, input, 'the contents'))
        return bags
      },
      [Pkcs12Error, PrivateKeyError],
      ({ certificates, keys }) => {
        hold(certificates.length + keys.length <= input.length, 'more bags than bytes')
        for (const { der } of certificates) hold(der.length <= input.length, 'more than is there')
      },
    )
  },
}

const FORGE = await loadForge()

const KEY_PEM = formatPem('PRIVATE KEY', pkcs8(ec))
const CHAIN_PEM = leaf.certificate.toPem() + root.certificate.toPem()

export const keyedChain: FuzzTarget = {
  name: 'keyed-chain',
  source: ['certificate/keyed-chain.ts', 'certificate/strict-pem.ts', 'certificate/chain-source.ts'],
  holds: 'a chain whose leaf is the one of the key, and whose members were in the text, each signed by the next',
  why: 'every chain that is read has its signatures verified',
  runs: 20_000,
  shape: 'lines',
  maxBytes: CHAIN_PEM.length + 500,
  seeds: () => [
    CHAIN_PEM,
    root.certificate.toPem() + leaf.certificate.toPem(),
    leaf.certificate.toPem(),
    `# mine\n${CHAIN_PEM}`,
  ],
  words: ['-----BEGIN CERTIFICATE-----\n', '-----END CERTIFICATE-----\n', KEY_PEM, '# ', 'subject='],
  run(input) {
    const text = textOf(input)
    return readingLater(
      () => KeyedChain.fromPem({ cert: text, key: KEY_PEM, allowComments: true }),
      [ChainError, CertificateError, PrivateKeyError],
      (chain) => {
        same(chain.leaf.publicKeyFingerprint, leaf.certificate.publicKeyFingerprint, 'the leaf of the key')
        // In whatever lines its base64 stands there.
        const blocks = new Set(parsePem(text).map(({ der }) => Buffer.from(der).toString('hex')))
        for (const [index, each] of chain.certificates.entries()) {
          hold(blocks.has(Buffer.from(each.der).toString('hex')), 'a member that is in the text')
          const issuer = chain.certificates[index + 1]
          if (issuer !== undefined) hold(isSignedBy(each, issuer), 'each signed by the next')
        }
      },
    )
  },
}

export const dhParameters: FuzzTarget = {
  name: 'dh-parameters',
  source: ['tls/sans-io/dh-parameters.ts'],
  holds: 'whatever is no group is refused as such',
  why: 'seeds of no more than 1024 bits: a group that is long enough takes 50 ms to be checked',
  shape: 'der',
  maxBytes: 300,
  outcomes: ['ERR_TLACACOCA_CONTEXT_INVALID'],
  seeds: () => [
    element(0x30, element(2, Buffer.concat([Buffer.of(0), Buffer.alloc(128, 0xfb)])), integer(2)),
    element(0x30, integer(23), integer(5), integer(160)),
    Buffer.from(formatPem('DH PARAMETERS', element(0x30, integer(23), integer(5)))),
  ],
  run(input) {
    try {
      readDhParams(input)
    } catch (error) {
      return refusal(error, ContextError)
    }
    return 'read'
  },
}
