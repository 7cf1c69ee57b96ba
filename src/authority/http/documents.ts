// What everybody may have: the certificate of the authority, and the list of certificates that it has taken back. Both
// are signed, so it does not matter over what they come.

import { createHash } from 'node:crypto'
import type { CertificateAuthority } from '../certificate-authority.ts'

/** A document, and for how many seconds a cache may keep it. */
interface Document {
  readonly bytes: Uint8Array
  readonly type: string
  readonly maxAge: number
  readonly modified: Date
}

/** The certificate, then those above it. */
export function caDocument(authority: CertificateAuthority): Document {
  const { certificate, chain } = authority
  const pem = [certificate, ...chain].map((link) => link.toPem()).join('')
  // RFC 8555 section 9.1.
  const type = 'application/pem-certificate-chain'
  return { bytes: Buffer.from(pem), type, maxAge: 3600, modified: certificate.notBefore }
}

/** The current list, as DER (RFC 5280 section 4.2.1.13 wants that of a distribution point). */
export async function crlDocument(authority: CertificateAuthority): Promise<Document> {
  const { der, thisUpdate } = await authority.crl()
  // There is a new list as soon as a certificate is revoked, and whoever asks should soon get it.
  return { bytes: der, type: 'application/pkix-crl', maxAge: 300, modified: thisUpdate }
}

/** Answers GET and HEAD, and says 304 to whoever has the document. */
export function documentResponse({ bytes, type, maxAge, modified }: Document, request: Request): Response {
  const etag = `"${createHash('sha256').update(bytes).digest('base64url')}"`
  const headers = {
    etag,
    'cache-control': `public, max-age=${maxAge}`,
    'last-modified': modified.toUTCString(),
    'x-content-type-options': 'nosniff',
  }
  if (matches(request.headers.get('if-none-match'), etag)) return new Response(null, { status: 304, headers })
  const body = request.method === 'HEAD' ? null : Buffer.from(bytes)
  return new Response(body, {
    headers: { ...headers, 'content-type': type, 'content-length': String(bytes.length) },
  })
}

/** RFC 9110 section 13.1.2: any of a list, or `*`; weak and strong are the same here. */
function matches(header: string | null, etag: string): boolean {
  if (header === null) return false
  return header.split(',').some((entry) => {
    const tag = entry.trim()
    return tag === '*' || tag.replace(/^W\//, '') === etag
  })
}
