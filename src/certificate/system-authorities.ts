import * as tls from 'node:tls'
import { Certificate } from './certificate.ts'

/**
 * The authorities that this Node trusts: Mozilla's and those of NODE_EXTRA_CA_CERTS (the latter from Node 22.15 on), or
 * the operating system's, if Node was started so. Reading them takes a moment.
 */
export function systemAuthorities(): readonly Certificate[] {
  // Since Node 22.15 and 23.10 there is a function that also knows what Node was told to trust on top.
  const { getCACertificates } = tls as { getCACertificates?: () => readonly string[] }
  const texts = getCACertificates?.() ?? tls.rootCertificates
  return texts.flatMap((pem) => {
    try {
      return [Certificate.from(pem)]
    } catch {
      // One that cannot be read can vouch for nobody, and says nothing about the others.
      return []
    }
  })
}
