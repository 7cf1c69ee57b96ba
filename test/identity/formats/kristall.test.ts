import { describe, expect, it } from 'vitest'
import { readIdentities } from '../../../src/identity/formats/read-identities.ts'
import { openssl } from '../../support/openssl.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { madeIdentity, opensslIdentity } from './made-identities.ts'

const ana = await madeIdentity('Ana')
const der = { cert: ana.certificate.der, key: ana.privateKey.export({ format: 'der', type: 'pkcs8' }) }

it.each([
  { form: 'PEM', pair: { cert: ana.certPem, key: ana.keyPem } },
  { form: 'the bytes of PEM', pair: { cert: Buffer.from(ana.certPem), key: Buffer.from(ana.keyPem) } },
  { form: 'DER', pair: der },
  { form: 'DER of an EC key', pair: { ...der, key: ana.privateKey.export({ format: 'der', type: 'sec1' }) } },
  { form: 'one of each', pair: { cert: der.cert, key: ana.keyPem } },
])('reads $form', async ({ pair }) => {
  const { identities, problems } = await readIdentities({ kristall: pair })
  expect(problems).toEqual([])
  expect(identities.map(({ certificate }) => certificate.fingerprint)).toEqual([ana.certificate.fingerprint])
})

it('reads an RSA key in DER as Qt writes it', async () => {
  const made = await opensslIdentity(await temporaryFolder(), 'ana', ['genrsa', '-traditional'])
  const key = Buffer.from(openssl(['rsa', '-traditional'], made.keyPem).split('\n').slice(1, -2).join(''), 'base64')
  const { identities } = await readIdentities({ kristall: { cert: made.certificate.der, key } })
  expect(identities).toHaveLength(1)
})

it.each([
  { what: 'swapped', pair: { cert: der.key, key: der.cert } },
  { what: 'cut off', pair: { cert: der.cert.subarray(0, -1), key: der.key } },
  { what: 'empty', pair: { cert: new Uint8Array(), key: der.key } },
])('reports DER that is $what', async ({ pair }) => {
  const { identities, problems } = await readIdentities({ kristall: pair })
  expect(identities).toEqual([])
  expect(problems[0]?.file).toBe('kristall.cert')
})

it('does not guess the passphrase of an encrypted key in DER', async () => {
  const key = ana.privateKey.export({ format: 'der', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'secret' })
  const kristall = { cert: der.cert, key }
  expect((await readIdentities({ kristall }, { passphrase: 'secret' })).identities).toHaveLength(1)
  expect((await readIdentities({ kristall })).problems[0]?.code).toBe('ERR_TLACACOCA_KEY_PASSPHRASE_REQUIRED')
})

describe('host filters', () => {
  const scopesOf = async (hostFilter: string) => {
    const { identities, problems } = await readIdentities({ kristall: { ...der, hostFilter } })
    expect(identities).toHaveLength(1)
    return { scopes: identities[0]?.scopes, problems }
  }

  it.each([
    { filter: 'gemini://example.org/*', scope: 'gemini://example.org/' },
    { filter: '*gemini://example.org/*', scope: 'gemini://example.org/' },
    { filter: 'gemini://example.org*', scope: 'gemini://example.org/' },
    { filter: 'gemini://example.org/club*', scope: 'gemini://example.org/club' },
    { filter: 'gemini://example.org:1966/club/*', scope: 'gemini://example.org:1966/club/' },
  ])('reads $filter', async ({ filter, scope }) => {
    expect(await scopesOf(filter)).toEqual({ scopes: [scope], problems: [] })
  })

  it.each([
    '*',
    '**',
    '*example.org*',
    'gemini://*.example.org/*',
    'gemini://example.org/a?b*',
    'gemini://example.org/page',
  ])('has no scope for %s, and says so', async (filter) => {
    const { scopes, problems } = await scopesOf(filter)
    expect(scopes).toEqual([])
    expect(problems).toMatchObject([{ code: 'ERR_TLACACOCA_IDENTITY_SCOPE_UNSUPPORTED' }])
  })

  it('says nothing of an empty one, which Kristall has by default', async () => {
    expect(await scopesOf('')).toEqual({ scopes: [], problems: [] })
  })
})
