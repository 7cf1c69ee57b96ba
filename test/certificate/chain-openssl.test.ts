// The openssl command as a second opinion: on what is accepted here, and on what it makes itself.

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import { KeyedChain, pemOf } from '../../src/certificate/keyed-chain.ts'
import { NoLeafCertificateError } from '../../src/errors.ts'
import { AT, certPem, EXPIRED, family, refusal } from '../support/chain-fixtures.ts'
import { name } from '../support/crafted-certificates.ts'
import { type Issued, type IssueOptions, issue } from '../support/issued-certificates.ts'
import { openssl, opensslSucceeds } from '../support/openssl.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { hasOpenssl } from '../support/tls-clients.ts'

describe.runIf(hasOpenssl)('openssl verify agrees on a chain', () => {
  const rows: readonly [what: string, make: () => Issued[]][] = [
    ['of three', () => three()],
    ['with RSA keys', () => three({ middle: { key: 'RSA-2048' } })],
    ['with Ed25519 keys', () => three({ middle: { key: 'Ed25519' }, leaf: { key: 'Ed25519' } })],
    ['with a limit on its length', () => three({ root: { pathLength: 1 }, middle: { pathLength: 0 } })],
    [
      'with key usages',
      () => three({ middle: { keyUsage: ['keyCertSign'] }, leaf: { keyUsage: ['digitalSignature'] } }),
    ],
    ['with purposes', () => three({ middle: { purposes: ['server', 'client'] }, leaf: { purposes: ['server'] } })],
    ['without key identifiers', () => three({ middle: { identifiers: [] }, leaf: { identifiers: [] } })],
    ['with names in another spelling', () => three({ leaf: { issuerDer: name(' MIDDLE ', 0x13) } })],
    [
      'of the leaf and the root',
      () => {
        const root = issue({ subject: 'root', ca: true })
        return [issue({ by: root, ca: false }), root]
      },
    ],
    [
      'over a change of key',
      () => {
        const old = issue({ subject: 'root', ca: true })
        const fresh = issue({ subject: 'root', ca: true })
        const bridge = issue({ subject: 'root', by: fresh, ca: true, key: old })
        return [issue({ by: old, ca: false }), bridge, fresh]
      },
    ],
    ['of one self-signed certificate', () => [issue({ ca: false })]],
    ['of one that is marked as an authority', () => [issue({ ca: true })]],
  ]

  it.each(rows)('%s', async (_, make) => {
    const issued = make()
    const [leaf, root] = [issued[0], issued.at(-1)]
    if (leaf === undefined || root === undefined) return expect.fail('there is none')
    const chain = KeyedChain.fromCertificates(
      issued.map(({ certificate }) => certificate).toReversed(),
      leaf.keys.privateKey,
      { at: AT },
    )
    expect(chain.certificates.map((each) => each.fingerprint)).toEqual(
      issued.map((each) => each.certificate.fingerprint),
    )
    expect(await verifies(chain, root, AT)).toBe(true)
  })

  it('and on one that is refused', async () => {
    const issued = three({ leaf: EXPIRED })
    const [leaf, root] = [issued[0] as Issued, issued[2] as Issued]
    const chain = KeyedChain.fromCertificates(
      issued.map(({ certificate }) => certificate),
      leaf.keys.privateKey,
    )
    expect(await verifies(chain, root, AT)).toBe(false)
  })
})

function three(special: { root?: IssueOptions; middle?: IssueOptions; leaf?: IssueOptions } = {}): Issued[] {
  const { root, middle, leaf } = family(special)
  return [leaf, middle, root]
}

async function verifies(chain: KeyedChain, root: Issued, at: Date): Promise<boolean> {
  const folder = await temporaryFolder()
  const [trusted, sent] = [join(folder, 'root.pem'), join(folder, 'sent.pem')]
  await writeFile(trusted, certPem(root))
  await writeFile(sent, pemOf(chain).cert)
  const time = ['-attime', String(Math.floor(at.getTime() / 1000))]
  const strict = ['-no-CAfile', '-no-CApath', '-purpose', 'sslserver']
  return opensslSucceeds(['verify', ...time, ...strict, '-CAfile', trusted, '-untrusted', sent, sent])
}

describe.runIf(hasOpenssl)('what openssl req -x509 makes', () => {
  const kinds: readonly [string, readonly string[]][] = [
    ['EC', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']],
    ['RSA', ['-newkey', 'rsa:2048']],
    ['Ed25519', ['-newkey', 'ed25519']],
  ]

  async function make(options: readonly string[]): Promise<{ cert: string; key: string }> {
    const folder = await temporaryFolder()
    const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    openssl(['req', '-x509', ...options, '-nodes', '-subj', '/CN=example.org', '-keyout', keyFile, '-out', certFile])
    return { cert: await readFile(certFile, 'utf8'), key: await readFile(keyFile, 'utf8') }
  }

  it.each(kinds)(
    'is accepted by the rules of the small web, and refused by PKIX with a hint (%s)',
    async (_, options) => {
      const texts = await make(options)
      expect(Certificate.from(texts.cert).isCA).toBe(true)
      const chain = await KeyedChain.fromPem(texts)
      expect(chain.sent).toHaveLength(1)
      expect(chain.warnings).toEqual([])
      const error = await refusal(() => KeyedChain.fromPem({ ...texts, rules: 'pkix' }))
      expect(error).toBeInstanceOf(NoLeafCertificateError)
      expect(error.message).toContain('-addext basicConstraints=critical,CA:FALSE')
    },
  )

  it('is accepted by PKIX if the hint is taken', async () => {
    const texts = await make([...(kinds[0]?.[1] ?? []), '-addext', 'basicConstraints=critical,CA:FALSE'])
    expect((await KeyedChain.fromPem({ ...texts, rules: 'pkix' })).certificates).toHaveLength(1)
  })
})
