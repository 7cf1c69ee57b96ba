import { Certificate } from '../../certificate/certificate.ts'
import { isCertificateValidForHostname } from '../../certificate/hostname.ts'
import { parseCertificates } from '../../certificate/load.ts'
import { validatePath } from '../../certificate/path-validation.ts'
import type { PeerVerifier, VerifierDecision } from '../../certificate/peer-verifier.ts'
import {
  findRevoked,
  type RevocationChecker,
  type RevocationRefusal,
  requireRevocationChecker,
} from '../../certificate/revocation-checker.ts'
import { systemAuthorities } from '../../certificate/system-authorities.ts'
import { authoritiesOf, TrustStore } from '../../certificate/trust-store.ts'
import { requireFunction, requireOptions, show } from '../../internal/arguments.ts'
import { type Clock, systemClock } from '../../internal/clock.ts'
import { normalizeHost } from '../../names/host.ts'
import { alertFor, revocationText } from '../refuse-revoked.ts'

/** How {@link authorities} checks. */
export interface AuthoritiesOptions {
  /** The host that the certificate must be issued for. Default: the host of the endpoint. */
  readonly hostname?: string
  /** For the dates of certificates. */
  readonly clock?: Clock
  /**
   * Who knows which certificates have been taken back. It is asked about each certificate of the path but the authority
   * that is trusted; what has been revoked, is on hold, or is unknown to the authority that it names is refused, and so
   * is everything if it cannot tell. Default: revocation is not checked.
   */
  readonly revocation?: RevocationChecker
}

/**
 * Accepts the servers whose certificate was issued by a trusted authority (RFC 5280, see `validatePath`; revocation
 * is checked if there is somebody to ask) for the host that was meant (RFC 9525: by its subjectAltName only).
 *
 * @param trust - The authorities: certificates, or PEM texts with one or more. A self-signed certificate in the list
 *   stands for itself. Or a {@link TrustStore}. Or `system`: the authorities that this Node trusts, which are Mozilla's and those of
 *   NODE_EXTRA_CA_CERTS (the latter from Node 22.15 on), or the operating system's, if Node was started so.
 * @throws {TypeError} If the list is empty, or an option is wrong.
 * @throws {CertificateError} If an entry cannot be read.
 * @throws {InvalidNameError} If `hostname` is no host.
 * @example
 * import { readFile } from 'node:fs/promises'
 * import { authorities } from 'tlacacoca/tls'
 *
 * const everybody = authorities('system')
 * const club = authorities([await readFile('club-ca.pem', 'utf8')], { hostname: 'club.example' })
 */
export function authorities(
  trust: 'system' | TrustStore | readonly (Certificate | string)[],
  options: AuthoritiesOptions = {},
): PeerVerifier {
  requireOptions('options', options, ['hostname', 'clock', 'revocation'])
  const { clock = systemClock, revocation } = options
  requireFunction('clock', clock)
  if (revocation !== undefined) requireRevocationChecker('revocation', revocation)
  const hostname = options.hostname === undefined ? null : normalizeHost(options.hostname)
  // Reading all of the system's takes a moment, which is only worth it if they are needed.
  let trusted = trust === 'system' ? null : readAuthorities(trust)
  return {
    name: 'authorities',
    verify({ certificate, chain, endpoint }) {
      trusted ??= systemAuthorities()
      const path = validatePath({
        leaf: certificate,
        intermediates: chain.slice(1),
        authorities: trusted,
        at: new Date(clock()),
        purpose: 'server',
      })
      if (!path.valid) return { accept: false, reason: path.problem, detail: path.detail }
      const host = hostname ?? endpoint.host
      if (!isCertificateValidForHostname(certificate, host)) {
        return { accept: false, reason: 'wrong_hostname', detail: `it was not issued for ${host}` }
      }
      if (revocation === undefined) return ACCEPTED
      // Trust in the last of a path does not come from who issued it. A certificate that stands for itself is asked about.
      const refusal = findRevoked(revocation, [certificate, ...path.path.slice(1, -1)])
      return refusal instanceof Promise ? refusal.then(decisionOn) : decisionOn(refusal)
    },
  }
}

const ACCEPTED: VerifierDecision = { accept: true, ground: 'authorities' }

function decisionOn(refusal: RevocationRefusal | null): VerifierDecision {
  if (refusal === null) return ACCEPTED
  return {
    accept: false,
    reason: refusal.kind === 'unknown' ? 'unknown_to_authority' : refusal.kind,
    detail: revocationText(refusal),
    alert: alertFor(refusal.kind),
  }
}

function readAuthorities(trust: TrustStore | readonly (Certificate | string)[]): readonly Certificate[] {
  if (TrustStore.is(trust)) return authoritiesOf(trust)
  if (!Array.isArray(trust) || trust.length === 0) {
    throw new TypeError(
      `"trust" expected 'system' or a list of at least one certificate, or a TrustStore, got ${show(trust)}`,
    )
  }
  return trust.flatMap((entry: unknown, index) => {
    if (entry instanceof Certificate) return [entry]
    if (typeof entry === 'string') return parseCertificates(entry)
    throw new TypeError(`"trust[${index}]" expected a Certificate or PEM text, got ${show(entry)}`)
  })
}
