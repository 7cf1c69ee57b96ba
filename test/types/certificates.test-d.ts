// Certificates and their files: what is made, read and saved, and under which names.

import {
  Certificate,
  CertificateError,
  type CertificateInfo,
  type CertificateInput,
  type Endpoint,
  type Fingerprint,
  generateSelfSignedCertificate,
  getCertificateFingerprint,
  getCertificateInfo,
  isCertificateExpired,
  isCertificateValidForHostname,
  KeyedChain,
  loadCertificate,
  type Passphrase,
  type PathResult,
  parseEndpoint,
  saveCertificateFiles,
  type TlacacocaError,
  TrustStore,
  validateCertificateFile,
} from 'tlacacoca/certificate'
import { expectTypeOf } from 'vitest'

declare const result: PathResult

export async function making(): Promise<void> {
  const made = await generateSelfSignedCertificate({ hostname: 'a.example', key: 'Ed25519', validDays: 30 })
  expectTypeOf(made.certificate).toEqualTypeOf<Certificate>()
  expectTypeOf(made.fingerprint).toEqualTypeOf<Fingerprint>()
  await saveCertificateFiles(made, { certFile: 'cert.pem', keyFile: 'key.pem' })
  // @ts-expect-error Files have the same names everywhere.
  await saveCertificateFiles(made, { certificatePath: 'cert.pem', privateKeyPath: 'key.pem' })
  await validateCertificateFile('cert.pem', { keyFile: 'key.pem' })
  // @ts-expect-error No such kind of key; and RSA has no 1024 bits here.
  await generateSelfSignedCertificate({ hostname: 'a.example', key: 'RSA-1024' })
  // @ts-expect-error A duration has its unit in the name.
  await generateSelfSignedCertificate({ hostname: 'a.example', days: 30 })
  expectTypeOf<Passphrase>().toEqualTypeOf<string | Uint8Array>()
}

export async function reading(): Promise<void> {
  const certificate = await loadCertificate('cert.pem')
  expectTypeOf(getCertificateInfo(certificate)).toEqualTypeOf<CertificateInfo>()
  expectTypeOf(getCertificateFingerprint(certificate)).toEqualTypeOf<Fingerprint>()
  expectTypeOf(isCertificateExpired(certificate)).toEqualTypeOf<boolean>()
  expectTypeOf(isCertificateValidForHostname(certificate, 'a.example')).toEqualTypeOf<boolean>()
  // @ts-expect-error Names are in the subjectAltName; the common name cannot be asked for instead.
  isCertificateValidForHostname(certificate, 'a.example', { commonName: true })
  // @ts-expect-error Certificates are read-only.
  certificate.fingerprint = getCertificateFingerprint(certificate)
  // @ts-expect-error Only the reader makes one.
  new Certificate()
  expectTypeOf<Certificate>().toExtend<CertificateInput>()
  expectTypeOf(parseEndpoint('a.example:1965')).toEqualTypeOf<Endpoint>()
  // @ts-expect-error The form of an endpoint is not enough.
  const endpoint: Endpoint = { host: 'A.example.', port: 1965 }
  void endpoint
}

export async function chains(): Promise<void> {
  expectTypeOf(KeyedChain.fromFiles({ certFile: 'cert.pem', keyFile: 'key.pem' })).toEqualTypeOf<Promise<KeyedChain>>()
  expectTypeOf(KeyedChain.fromPem({ cert: '…', key: '…' })).toEqualTypeOf<Promise<KeyedChain>>()
  // @ts-expect-error A chain that a handshake shows has its key.
  await KeyedChain.fromFiles({ certFile: 'cert.pem' })
  // @ts-expect-error Only its makers make one.
  new TrustStore()
  // @ts-expect-error Whether there is a path has to be asked first.
  result.path
  if (result.valid) expectTypeOf(result.path).toEqualTypeOf<readonly Certificate[]>()
  else expectTypeOf(result.detail).toEqualTypeOf<string>()
}

export function errors(error: TlacacocaError): void {
  expectTypeOf(error.code).toEqualTypeOf<`ERR_TLACACOCA_${string}`>()
  if (error instanceof CertificateError) {
    expectTypeOf(error.code).toEqualTypeOf<
      'ERR_TLACACOCA_CERTIFICATE_MALFORMED' | 'ERR_TLACACOCA_CERTIFICATE_UNSUPPORTED'
    >()
    // @ts-expect-error No such code: whoever compares with it never gets there.
    if (error.code === 'ERR_TLACACOCA_CERTIFICATE_EATEN') return
  }
}
