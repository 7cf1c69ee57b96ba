// Whether a certificate was issued for a host, by RFC 9525 and nothing looser. The names come from the DER; the text that
// Node makes of them has been forged before (CVE-2021-44532), and `tls.checkServerIdentity` still falls back to common
// names and takes partial wildcards.
//
//   1. Only the subjectAltName counts (section 2); a common name is text for people.
//   2. A host name is compared with DNS names only, an address with IP addresses only, and those octet by octet (section
//      6.4): neither the DNS name `192.0.2.1` nor `*` says anything about the address 192.0.2.1.
//   3. ASCII letters compare without case, and international names as A-labels (section 6.3). The certificate must hold
//      A-labels itself: a name with anything but ASCII in it matches nothing. One dot at the end is dropped.
//   4. A wildcard is the whole left-most label, and stands for exactly one label (section 6.3).
//   5. A wildcard needs two labels after it. The RFC leaves `*.org` to policy (section 7.1); OpenSSL and Node refuse it
//      too, because nobody speaks for all of a top-level domain.

import { InvalidNameError } from '../errors.ts'
import { requireString } from '../internal/arguments.ts'
import { type CanonicalHost, canonicalHost } from '../names/host.ts'
import { Certificate, type CertificateInput } from './certificate.ts'
import { EXTENSION } from './extensions.ts'

/** How to match a host. */
export interface HostnameOptions {
  /**
   * Takes the common name for a DNS name if the certificate has no subjectAltName at all. RFC 9525 forbids it: a common
   * name is free text, and an authority may never have looked at it. It is meant for old self-signed certificates whose
   * fingerprint is checked as well. Default false.
   */
  readonly dangerouslyAllowCommonName?: boolean
}

/**
 * Whether a certificate was issued for a host (RFC 9525). It says nothing about the dates, the signature or the trust.
 *
 * @param host - A host name in any spelling that `normalizeHost` takes, or an IP address. What is no host matches nothing.
 * @throws {CertificateError} ERR_TLACACOCA_CERTIFICATE_MALFORMED if the certificate or its names cannot be read.
 * @example
 * import { isCertificateValidForHostname, loadCertificate } from 'tlacacoca/certificate'
 *
 * const certificate = await loadCertificate('cert.pem')
 * console.log(isCertificateValidForHostname(certificate, 'www.example.org'))
 */
export function isCertificateValidForHostname(
  certificate: CertificateInput,
  host: string,
  options: HostnameOptions = {},
): boolean {
  requireString('host', host)
  const read = Certificate.from(certificate)
  const { dns, ip } = read.subjectAltNames
  const reference = referenceOf(host)
  if (reference === null) return false
  if (reference.isAddress) return ip.includes(reference.host)

  if (dns.some((presented) => matches(presented, reference.host))) return true
  if (options.dangerouslyAllowCommonName !== true) return false
  if (read.extensions.some((each) => each.oid === EXTENSION.subjectAltName)) return false
  // Of several common names nobody knows which one is meant, so none of them is.
  const [commonName, ...others] = read.subject.valuesOf('CN')
  return commonName !== undefined && others.length === 0 && matches(commonName, reference.host)
}

function referenceOf(host: string): CanonicalHost | null {
  try {
    return canonicalHost(host)
  } catch (error) {
    if (error instanceof InvalidNameError) return null
    /* v8 ignore next -- @preserve only a fault of our own could be another error */
    throw error
  }
}

/**
 * Whether a name in a certificate covers a canonical host name. The host is known to be well-formed, so whatever equals
 * it is; only the wildcard needs rules of its own.
 */
function matches(presented: string, host: string): boolean {
  // Lower-casing would turn U+212A into "k", so what is not ASCII is out before that.
  if (!PRINTABLE_ASCII.test(presented)) return false
  const name = presented.toLowerCase().replace(/\.$/, '')
  if (name === host) return true
  // The one wildcard that speaks for this host. It has as many labels as the host, which therefore needs three.
  const wildcard = `*${host.slice(host.indexOf('.'))}`
  return name === wildcard && wildcard.split('.').length >= 3
}

const PRINTABLE_ASCII = /^[!-~]+$/
