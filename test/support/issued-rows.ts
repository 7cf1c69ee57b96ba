// Certificates in the store of an authority, as if the authority had issued them there.

import { createHash } from 'node:crypto'
import type { IssuedStore, NewIssued } from '../../src/authority/issued-store.ts'
import type { Certificate } from '../../src/certificate/certificate.ts'
import { type Issued, type IssueOptions, issue } from './issued-certificates.ts'

/** An authority that may do all that one may. */
export function newAuthority(options: IssueOptions = {}): Issued {
  return issue({ subject: 'club', ca: true, keyUsage: ['keyCertSign', 'cRLSign'], ...options })
}

/** What a store is told of a certificate before it is signed. */
export function rowFor(certificate: Certificate, at = 0): NewIssued {
  return {
    serial: certificate.serialNumber,
    profile: 'client-identity',
    clientHash: null,
    publicKey: certificate.publicKeyFingerprint,
    requestSha256: null,
    tbsSha256: createHash('sha256').update(certificate.tbsDer).digest('hex'),
    subject: String(certificate.subject),
    notBefore: certificate.notBefore.getTime(),
    notAfter: certificate.notAfter.getTime(),
    renewedFrom: null,
    requestedBy: null,
    createdAt: at,
  }
}

/** Issues a certificate and stores it. */
export async function issueInto(store: IssuedStore, by: Issued, options: IssueOptions = {}): Promise<Issued> {
  const issued = issue({ subject: 'ana', ...options, by })
  await store.begin(rowFor(issued.certificate), null)
  await store.complete(issued.certificate.serialNumber, issued.certificate, 0, null)
  return issued
}
