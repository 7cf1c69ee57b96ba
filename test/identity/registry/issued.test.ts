import { expect, it } from 'vitest'
import type { Peer } from '../../../src/certificate/peer.ts'
import { CertificateError } from '../../../src/errors.ts'
import { Authorities } from '../../../src/identity/registry/issued.ts'
import { NOW, person } from './support.ts'

const { certificate: authority } = person()
const revocation = { revocationOf: () => ({ kind: 'not_ours' }) as const }
const authorities = () => new Authorities([{ certificate: authority, identifiedBy: 'serial', revocation }])

it('what was found out of certificates is remembered, and makes room when there are too many', () => {
  const known = authorities()
  let looks = 0
  // Enough of a peer for what is looked at, since to make ten thousand certificates would take minutes.
  const peer = (n: number) =>
    ({
      issuance: 'unchecked',
      fingerprint: `sha256:${n}`,
      get certificate() {
        looks++
        return { notBefore: new Date(8e15), notAfter: new Date(0) }
      },
    }) as unknown as Peer
  for (let n = 0; n < 10_000; n++) expect(known.identify(peer(n), NOW.getTime())).toBeNull()
  expect(looks).toBe(10_000)
  known.identify(peer(0), NOW.getTime())
  expect(looks).toBe(10_000)
  known.identify(peer(10_000), NOW.getTime())
  known.identify(peer(10_000), NOW.getTime())
  expect(looks).toBe(10_001)
  known.identify(peer(0), NOW.getTime())
  expect(looks).toBe(10_002)
})

it('a certificate that cannot be read has no name from an authority', () => {
  const certificate = {
    get notBefore(): Date {
      throw new CertificateError('ERR_TLACACOCA_CERTIFICATE_MALFORMED', 'no date')
    },
  }
  const peer = { issuance: 'unchecked', fingerprint: 'sha256:0', certificate } as unknown as Peer
  expect(authorities().identify(peer, NOW.getTime())).toBeNull()
})
