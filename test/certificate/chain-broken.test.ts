// Twelve ways to get the files of a server wrong, and what becomes of each. Node, given the same texts, takes ten of them
// without a word.

import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { KeyedChain } from '../../src/certificate/keyed-chain.ts'
import { TrustStore } from '../../src/certificate/trust-store.ts'
import { AT, certPem, EXPIRED, family, keyPem, refusal } from '../support/chain-fixtures.ts'
import { issue } from '../support/issued-certificates.ts'

const { root, middle, leaf } = family()
const expired = issue({ by: middle, ca: false, ...EXPIRED })
const stranger = issue({ subject: 'stranger', ca: true })
const CERT = certPem(leaf, middle)

interface Texts {
  readonly cert: string
  readonly key?: string
  readonly ca: string
}

const good: Texts = { cert: CERT, key: keyPem(leaf), ca: certPem(root) }

/** As a careful program would do it: the authorities, and a chain that leads to them. */
async function ours({ cert, key = '', ca }: Texts): Promise<KeyedChain> {
  const roots = TrustStore.fromPem(ca, { at: AT })
  return KeyedChain.fromPem({ cert, key, roots, at: AT })
}

function nodeAccepts(texts: SecureContextOptions): boolean {
  try {
    createSecureContext(texts)
    return true
  } catch {
    return false
  }
}

const rows: readonly { what: string; texts: Texts; code: string; node: boolean }[] = [
  {
    what: 'an unrelated authority in the chain',
    texts: { ...good, cert: CERT + certPem(stranger) },
    code: 'EXTRANEOUS_CERTIFICATE',
    node: true,
  },
  { what: 'a second leaf', texts: { ...good, cert: CERT + certPem(expired) }, code: 'SEVERAL_LEAVES', node: true },
  {
    what: 'the private key among the certificates',
    texts: { ...good, cert: CERT + keyPem(leaf) },
    code: 'EXTRANEOUS_KEY',
    node: true,
  },
  {
    what: 'a private key among the authorities',
    texts: { ...good, ca: certPem(root) + keyPem(root) },
    code: 'EXTRANEOUS_KEY',
    node: true,
  },
  {
    what: 'an authority twice',
    texts: { ...good, cert: CERT + certPem(middle) },
    code: 'DUPLICATE_CERTIFICATE',
    node: true,
  },
  {
    what: 'junk between the blocks',
    texts: { ...good, cert: `${certPem(leaf)}junk\n${certPem(middle)}` },
    code: 'PEM_INVALID',
    node: true,
  },
  { what: 'no private key', texts: { cert: CERT, ca: good.ca }, code: 'KEY_MISSING', node: true },
  {
    what: 'an expired leaf',
    texts: { ...good, cert: certPem(expired, middle), key: keyPem(expired) },
    code: 'EXPIRED',
    node: true,
  },
  { what: 'no authorities', texts: { ...good, ca: '' }, code: 'NO_AUTHORITIES', node: true },
  {
    what: 'the key of another certificate',
    texts: { ...good, key: keyPem(stranger) },
    code: 'EXTRANEOUS_KEY',
    node: false,
  },
  { what: 'no certificate', texts: { ...good, cert: '' }, code: 'NO_LEAF', node: true },
  { what: 'a block that is cut off', texts: { ...good, cert: CERT.slice(0, 300) }, code: 'PEM_INVALID', node: false },
]

describe('the files of a server', () => {
  it('are accepted if they are right', async () => {
    expect((await ours(good)).certificates).toHaveLength(2)
    expect(nodeAccepts(good)).toBe(true)
  })

  it.each(rows)('are refused with $what', async ({ texts, code, node }) => {
    const error = await refusal(() => ours(texts))
    expect(error.code).toBe(`ERR_TLACACOCA_CHAIN_${code}`)
    expect(nodeAccepts(texts)).toBe(node)
  })
})
