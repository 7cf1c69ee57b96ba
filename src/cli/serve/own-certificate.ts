// The certificate of a server whose owner has none: made at the first start, and kept. Clients remember it, so a new one at
// each start would look like an attack each time.

import { access } from 'node:fs/promises'
import { join } from 'node:path'
import {
  generateSelfSignedCertificate,
  isCertificateExpired,
  isCertificateValidForHostname,
  loadCertificate,
  renewCertificate,
  saveCertificateFiles,
} from '../../certificate/index.ts'
import { readFileBytes } from '../../internal/atomic-file.ts'
import { UsageError } from '../exit-code.ts'
import type { CliIo } from '../io.ts'

/** A certificate, where it is, and what was done about it. */
export interface OwnCertificate {
  readonly certFile: string
  readonly keyFile: string
  readonly done: 'made' | 'renewed' | 'found'
}

/** Ten years: with trust on first use, each new certificate costs every visitor a question. */
const VALID_DAYS = 3650

/** Finds the certificate for some hosts, or makes it. One that has expired is renewed, with the same key. */
export async function ownCertificate(io: CliIo, folder: string, hosts: readonly string[]): Promise<OwnCertificate> {
  const [hostname = 'localhost', ...subjectAltNames] = hosts
  const place = join(folder, hostname.replaceAll('*', '_').replaceAll(':', '_'))
  const [certFile, keyFile] = [join(place, 'cert.pem'), join(place, 'key.pem')]
  const files = { certFile, keyFile }
  if (!(await exists(certFile))) {
    const made = await generateSelfSignedCertificate({
      hostname,
      subjectAltNames,
      validDays: VALID_DAYS,
      clock: io.clock,
    })
    await saveCertificateFiles(made, files)
    return { certFile, keyFile, done: 'made' }
  }
  const certificate = await loadCertificate(certFile)
  const missing = hosts.filter((host) => !isCertificateValidForHostname(certificate, host))
  if (missing.length > 0) {
    throw new UsageError(
      `${certFile}, made at an earlier start, is not for ${missing.join(', ')}: name the same hosts as then, or make a certificate by "tlacacoca cert new" and name it in the settings`,
    )
  }
  if (!isCertificateExpired(certificate, { at: new Date(io.clock()) })) return { certFile, keyFile, done: 'found' }
  const privateKey = await readFileBytes(keyFile)
  const renewed = await renewCertificate({ certificate, privateKey, validDays: VALID_DAYS, clock: io.clock })
  await saveCertificateFiles(renewed, { certFile, overwrite: true })
  return { certFile, keyFile, done: 'renewed' }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
