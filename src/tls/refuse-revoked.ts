import {
  findRevoked,
  type RevocationChecker,
  type RevocationRefusal,
  requireRevocationChecker,
} from '../certificate/revocation-checker.ts'
import { VerificationRefused } from '../errors.ts'
import { show } from '../internal/arguments.ts'
import { AlertCode } from './alert.ts'
import type { VerifyCallback } from './sans-io/connection-sink.ts'

/**
 * Refuses, in the handshake, peers whose certificate has been taken back, or any of the chain that they send with it: by
 * the alert certificate_revoked (44), or certificate_unknown (46) if the authority does not know a certificate that names
 * it. A peer without a certificate passes, and so does one with a certificate of somebody else: this asks what an
 * authority has taken back, not whom it has let in. A checker that fails refuses with internal_error (80).
 *
 * It looks once for each connection. Certificates are revoked while connections are open, so ask `CertificateAuth` with
 * the same checker on each request as well.
 *
 * @throws {TypeError} If `checker` has no method `revocationOf`.
 * @example
 * import { CertificateAuthority } from 'tlacacoca/authority'
 * import { createSecureServer, createServerContext, refuseRevoked } from 'tlacacoca/tls'
 *
 * const authority = await CertificateAuthority.open('/var/lib/club/ca')
 * const context = await createServerContext({
 *   certificates: [{ certFile: 'cert.pem', keyFile: 'key.pem' }],
 *   clientCertificates: 'request',
 * })
 * const server = createSecureServer(context, ({ stream }) => stream.end('20 text/plain\r\nhello\n'), {
 *   verify: refuseRevoked(authority.revocationChecker()),
 * })
 * await server.listen(1965)
 */
export function refuseRevoked(checker: RevocationChecker): VerifyCallback {
  requireRevocationChecker('checker', checker)
  return (chain) => {
    const refusal = findRevoked(checker, chain)
    return refusal instanceof Promise ? refusal.then(refuse) : refuse(refusal)
  }
}

function refuse(refusal: RevocationRefusal | null): void {
  if (refusal === null) return
  throw new VerificationRefused(alertFor(refusal.kind), revocationText(refusal))
}

/** @internal RFC 8446 section 6.2. */
export function alertFor(kind: RevocationRefusal['kind']): AlertCode {
  return kind === 'unknown' ? AlertCode.certificate_unknown : AlertCode.certificate_revoked
}

/** @internal A sentence for a person. */
export function revocationText({ kind, certificate }: RevocationRefusal): string {
  const serial = `the certificate with the serial number ${certificate.serialNumber}`
  switch (kind) {
    case 'revoked':
      return `${serial} was revoked`
    case 'held':
      return `${serial} is on hold`
    case 'unknown':
      return `${serial} is not known to ${show(String(certificate.issuer))}, which it names as its issuer`
  }
}
