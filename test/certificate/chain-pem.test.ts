import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CertificateSet } from '../../src/certificate/certificate-set.ts'
import { KeyedChain } from '../../src/certificate/keyed-chain.ts'
import { encryptPrivateKey } from '../../src/certificate/private-key.ts'
import { TrustStore } from '../../src/certificate/trust-store.ts'
import { ExtraneousPrivateKeyError, PrivateKeyError } from '../../src/errors.ts'
import { certPem, family, keyPem, refusal } from '../support/chain-fixtures.ts'
import { openssl } from '../support/openssl.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { hasOpenssl } from '../support/tls-clients.ts'

const { root, middle, leaf } = family()
const CERT = certPem(leaf, middle)
const KEY = keyPem(leaf)
/** The line that the second certificate begins with. */
const SECOND = certPem(leaf).split('\n').length

const relabelled = (pem: string, label: string) => pem.replace(/(BEGIN|END) [A-Z ]+-----/g, `$1 ${label}-----`)
const atLine = (line: number, text: string) =>
  CERT.split('\n')
    .toSpliced(line - 1, 0, text)
    .join('\n')
const chop = (text: string, from: number, count: number) => text.slice(0, from) + text.slice(from + count)

// Rule P1. One thing is wrong in each, and the line is that of the mistake.
describe('PEM is refused with the number of the line', () => {
  it.each([
    ['junk before the first block', atLine(1, 'junk'), 1],
    ['junk between two blocks', atLine(SECOND, 'junk'), SECOND],
    ['junk after the last block', `${CERT}junk`, CERT.split('\n').length],
    ['base64 without its first line', certPem(middle).split('\n').slice(1).join('\n'), 1],
    ['a block without its last line before another', CERT.replace(/-----END CERTIFICATE-----\n/, ''), 1],
    ['a block that ends as something else', CERT.replace('END CERTIFICATE', 'END CERTIFICATES'), 1],
    ['a boundary with a dash too few', CERT.replace('-----BEGIN', '----BEGIN'), 1],
    ['an indented boundary', CERT.replace('-----BEGIN', ' -----BEGIN'), 1],
    ['an empty line inside a block', atLine(3, ''), 3],
    ['a letter too few', chop(CERT, 100, 1), 1],
    ['a letter that is none of base64', `${CERT.slice(0, 100)}*${CERT.slice(101)}`, 1],
    ['header lines of a certificate', CERT.replace('-----\n', '-----\nProc-Type: 4,ENCRYPTED\n\n'), 1],
    ['a comment, since there may be none', atLine(SECOND, '# the authority'), SECOND],
  ])('%s', async (_, cert, line) => {
    const error = await refusal(() => KeyedChain.fromPem({ cert, key: KEY }))
    expect(error).toMatchObject({ code: 'ERR_TLACACOCA_CHAIN_PEM_INVALID', line })
    expect(error.message).toContain(`line ${line}`)
    expect((await refusal(() => CertificateSet.fromPem(cert + KEY))).line).toBe(line)
  })

  it('a block without its last line at the end of the text', async () => {
    const error = await refusal(() =>
      KeyedChain.fromPem({ cert: CERT.replace(/\n-----END CERTIFICATE-----\n$/, ''), key: KEY }),
    )
    expect(error).toMatchObject({ code: 'ERR_TLACACOCA_CHAIN_PEM_INVALID', line: SECOND })
  })

  it('junk in the text of the key, without showing it', async () => {
    const key = KEY.split('\n')
      .toSpliced(1, 1)
      .toSpliced(0, 0, KEY.split('\n')[1] ?? '')
      .join('\n')
    const error = await refusal(() => KeyedChain.fromPem({ cert: CERT, key }))
    expect(error).toMatchObject({ code: 'ERR_TLACACOCA_CHAIN_PEM_INVALID', line: 1 })
    expect(error.message).not.toContain((KEY.split('\n')[1] ?? '').slice(0, 16))
  })

  it.each([1, 2])('bits after the last one of the base64, %i of them', async (spare) => {
    // A certificate whose base64 ends with padding, where the last letter has bits that decode to nothing.
    let pem = ''
    for (let tries = 0; !pem.includes(`${'='.repeat(spare)}\n`) || pem.includes('='.repeat(spare + 1)); tries++) {
      if (tries > 100) expect.fail('no certificate has such a length')
      pem = certPem(family({ leaf: { subject: 'x'.repeat(tries) } }).leaf)
    }
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
    const cert = pem.replace(
      /(.)(=+\n)/,
      (_, last: string, end: string) => `${letters[letters.indexOf(last) + 1]}${end}`,
    )
    expect(cert).not.toBe(pem)
    const error = await refusal(() => KeyedChain.fromPem({ cert, key: KEY }))
    expect(error).toMatchObject({ code: 'ERR_TLACACOCA_CHAIN_PEM_INVALID', line: 1 })
  })
})

const COMMENTED = `# who we are
Bag Attributes
    localKeyID: 01 02 03
    friendlyName: www.example.org
subject=CN = example.org

issuer=CN = middle
${certPem(leaf)}
Bag Attributes: <No Attributes>
subject=CN = middle
${certPem(middle)}# the end
`

describe('comments, where they may stand,', () => {
  it('are skipped in all texts', async () => {
    const key = `# the key\nBag Attributes\n    localKeyID: 01 02 03\nKey Attributes: <No Attributes>\n${KEY}`
    const chain = await KeyedChain.fromPem({ cert: COMMENTED, key, allowComments: true })
    expect(chain.certificates).toHaveLength(2)
    expect((await CertificateSet.fromPem(COMMENTED + key, { allowComments: true })).chains).toHaveLength(1)
    expect(TrustStore.fromPem(`# Root\n${certPem(root)}`, { allowComments: true }).size).toBe(1)
  })

  it('are refused otherwise, with a hint', async () => {
    const error = await refusal(() => KeyedChain.fromPem({ cert: COMMENTED, key: KEY }))
    expect(error).toMatchObject({ code: 'ERR_TLACACOCA_CHAIN_PEM_INVALID', line: 1 })
    expect(error.message).toContain('allowComments')
  })

  it.each([
    'junk',
    '    localKeyID: 01',
    '    Data:',
    'Certificate: of mine',
    'MIIBszCCAVmgAwIBAgIUA0b',
    `${'M'.repeat(64)}`,
    '=====',
    'Bag Attributes and more',
    '// a comment of another language',
  ])('are not just anything: %s', async (line) => {
    const error = await refusal(() => KeyedChain.fromPem({ cert: atLine(SECOND, line), key: KEY, allowComments: true }))
    expect(error).toMatchObject({ code: 'ERR_TLACACOCA_CHAIN_PEM_INVALID', line: SECOND })
  })

  it.runIf(hasOpenssl)('are those that OpenSSL writes', async () => {
    const text = openssl(['x509', '-subject', '-issuer'], certPem(leaf))
    const chain = await KeyedChain.fromPem({ cert: text, key: KEY, allowComments: true })
    expect(chain.certificates).toHaveLength(1)
    const described = openssl(['x509', '-text'], certPem(leaf))
    expect(described).toMatch(/^Certificate:\n {4}Data:/)
    expect((await KeyedChain.fromPem({ cert: described, key: KEY, allowComments: true })).certificates).toHaveLength(1)

    const folder = await temporaryFolder()
    const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    await writeFile(certFile, CERT)
    await writeFile(keyFile, KEY)
    const container = join(folder, 'both.p12')
    openssl([
      'pkcs12',
      '-export',
      '-in',
      certFile,
      '-inkey',
      keyFile,
      '-name',
      'own',
      '-passout',
      'pass:x',
      '-out',
      container,
    ])
    const both = openssl(['pkcs12', '-in', container, '-passin', 'pass:x', '-nodes'])
    expect(both).toContain('Bag Attributes')
    const { chains } = await CertificateSet.fromPem(both, { allowComments: true })
    expect(chains.map(({ certificates }) => certificates.length)).toEqual([2])
  })
})

// Rule P2: what belongs in which text.
describe('a block that does not belong is refused:', () => {
  it.each([
    'TRUSTED CERTIFICATE',
    'X509 CERTIFICATE',
    'X.509 CERTIFICATE',
    'CERTIFICATE REQUEST',
    'X509 CRL',
    'PKCS7',
    'DH PARAMETERS',
    'PUBLIC KEY',
    'EC PARAMETERS',
  ])('%s among certificates, authorities and in a mixed text', async (label) => {
    const cert = CERT + relabelled(certPem(root), label)
    const line = CERT.split('\n').length
    for (const read of [
      () => KeyedChain.fromPem({ cert, key: KEY }),
      () => CertificateSet.fromPem(cert + KEY),
      () => TrustStore.fromPem(cert),
    ]) {
      const error = await refusal(read)
      expect(error).toMatchObject({ code: 'ERR_TLACACOCA_CHAIN_UNEXPECTED_BLOCK', line })
      expect(error.message).toContain(`"${label}" at line ${line}`)
    }
  })

  it.each(['CERTIFICATE', 'PUBLIC KEY', 'EC PARAMETERS', 'OPENSSH PRIVATE KEY', 'DSA PRIVATE KEY', 'ANY PRIVATE KEY'])(
    '%s beside the key',
    async (label) => {
      const key = KEY + relabelled(certPem(root), label)
      const error = await refusal(() => KeyedChain.fromPem({ cert: CERT, key }))
      expect(error).toMatchObject({ code: 'ERR_TLACACOCA_CHAIN_UNEXPECTED_BLOCK', line: KEY.split('\n').length })
    },
  )

  it.each(['PRIVATE KEY', 'ENCRYPTED PRIVATE KEY', 'EC PRIVATE KEY', 'RSA PRIVATE KEY', 'OPENSSH PRIVATE KEY'])(
    '%s among certificates and authorities, by the error of its own',
    async (label) => {
      const text = CERT + relabelled(KEY, label)
      for (const read of [() => KeyedChain.fromPem({ cert: text, key: KEY }), () => TrustStore.fromPem(text)]) {
        const error = await refusal(read)
        expect(error).toBeInstanceOf(ExtraneousPrivateKeyError)
        expect(error.line).toBe(CERT.split('\n').length)
      }
    },
  )
})

describe('a private key', () => {
  it('may be encrypted', async () => {
    const key = await encryptPrivateKey(leaf.keys.privateKey, { passphrase: 'open sesame', derivation: 'pbkdf2' })
    const chain = await KeyedChain.fromPem({ cert: CERT, key, passphrase: 'open sesame' })
    expect(chain.certificates).toHaveLength(2)
    await expect(KeyedChain.fromPem({ cert: CERT, key })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_KEY_PASSPHRASE_REQUIRED',
      message: expect.stringMatching(/^line 1: /),
    })
    await expect(KeyedChain.fromPem({ cert: CERT, key, passphrase: 'open barley' })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG',
      message: expect.not.stringContaining('barley'),
    })
  })

  it.each([
    ['sec1', { format: 'pem', type: 'sec1' }],
    ['sec1 under a passphrase in the old way', { format: 'pem', type: 'sec1', cipher: 'aes-256-cbc', passphrase: 'x' }],
  ] as const)('may be in the form of %s', async (_, form) => {
    const key = leaf.keys.privateKey.export(form).toString()
    expect((await KeyedChain.fromPem({ cert: CERT, key, passphrase: 'x' })).certificates).toHaveLength(2)
  })

  it('that cannot be read is an error of the key, which says where it is', async () => {
    const broken = KEY + KEY.replace(/\n[A-Za-z0-9+/=]{64}\n/, '\n')
    const error = await KeyedChain.fromPem({ cert: CERT, key: broken }).catch((each: unknown) => each)
    expect(error).toBeInstanceOf(PrivateKeyError)
    expect(error).toMatchObject({ code: 'ERR_TLACACOCA_KEY_MALFORMED' })
    expect(error).not.toHaveProperty('cause')
    expect(String(error)).toContain('line 6: ')
  })
})
