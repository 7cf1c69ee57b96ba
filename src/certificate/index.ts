// What `tlacacoca/certificate` offers. Importing it loads nothing but Node's own modules.

export {
  CertificateError,
  CertificateRequestError,
  ChainError,
  ExtraneousPrivateKeyError,
  FileError,
  InvalidNameError,
  LeafCertificateHasNoPrivateKeyError,
  MoreThanOneLeafCertificateError,
  NoCertificateChainError,
  NoLeafCertificateError,
  Pkcs12Error,
  PrivateKeyError,
  TlacacocaError,
} from '../errors.ts'
export { type Endpoint, endpointFrom, parseEndpoint } from '../names/endpoint.ts'
export type { AlternativeNames } from './alternative-names.ts'
export { Certificate, type CertificateInput, type CertificateValidity } from './certificate.ts'
export {
  type CertificateEnvironment,
  type CertificateEnvironmentOptions,
  type CertificateVariable,
  certificateEnvironment,
  scriptEnvironment,
} from './certificate-environment.ts'
export { CertificateRequest } from './certificate-request.ts'
export {
  type CertificateRequestOptions,
  createCertificateRequest,
  type NewCertificateRequest,
} from './certificate-request-create.ts'
export { type CertificateDirectoryOptions, CertificateSet, type CertificateSetOptions } from './certificate-set.ts'
export type {
  ChainOptions,
  ChainPemOptions,
  ChainRules,
  KeyedChainFiles,
  KeyedChainPkcs12,
  KeyedChainTexts,
} from './chain-options.ts'
export type { DistinguishedName, NameAttribute } from './distinguished-name.ts'
export type { CertificateExtension, KeyUsage, SubjectAltNames } from './extensions.ts'
export {
  type Fingerprint,
  type FingerprintStyle,
  type FingerprintSubject,
  fingerprintSubject,
  formatFingerprint,
  isFingerprint,
  parseFingerprint,
} from './fingerprint.ts'
export { type DrawingOptions, drawFingerprint } from './fingerprint-drawing.ts'
export { fingerprintToQrText, parseFingerprintQrText } from './fingerprint-qr.ts'
export { fingerprintToTlsaRecord, parseTlsaRecord, type TlsaOptions } from './fingerprint-tlsa.ts'
export { fingerprintToWords, parseFingerprintWords } from './fingerprint-words.ts'
export { type GeneratedCertificate, generateSelfSignedCertificate } from './generate.ts'
export type { CertificateUsage, GenerateOptions, KeyKind } from './generate-options.ts'
export { type HostnameOptions, isCertificateValidForHostname } from './hostname.ts'
export { type CertificateInfo, getCertificateInfo } from './info.ts'
export type { IssuanceChecker, IssuanceStatus } from './issuance-checker.ts'
export { type ChainWarning, KeyedChain } from './keyed-chain.ts'
export {
  type FingerprintOptions,
  getCertificateFingerprint,
  getCertificateFingerprintFromPath,
  isCertificateExpired,
  isCertificateNotYetValid,
  loadCertificate,
  parseCertificates,
} from './load.ts'
export type { NameField } from './name-fields.ts'
export type { Passphrase } from './passphrase.ts'
export {
  type PathProblem,
  type PathPurpose,
  type PathQuestion,
  type PathResult,
  validatePath,
} from './path-validation.ts'
export { type Issuance, Peer, type PeerFacts, type TLSVersion, VerifiedPeer } from './peer.ts'
export type { PeerCandidate, PeerVerifier, VerifierDecision } from './peer-verifier.ts'
export type { Pkcs12Contents, Pkcs12Entry } from './pkcs12-entries.ts'
export { type Pkcs12ReadOptions, readPkcs12 } from './pkcs12-read.ts'
export { type Pkcs12Identity, type Pkcs12WriteOptions, writePkcs12 } from './pkcs12-write.ts'
export { decryptPrivateKey, encryptPrivateKey, loadPrivateKey, type PrivateKeySource } from './private-key.ts'
export type { KeyDerivation } from './private-key-encryption.ts'
export type { KeyType } from './public-key.ts'
export type { PublishedFingerprint } from './published-fingerprint.ts'
export { type RenewedCertificate, type RenewOptions, renewCertificate } from './renew.ts'
export type { RevocationChecker, RevocationReason, RevocationStatus } from './revocation-checker.ts'
export { type RotatedCertificate, type RotateOptions, rotateCertificate } from './rotate-certificate.ts'
export { type CertificateFiles, type SaveOptions, saveCertificateFiles } from './save.ts'
export type { SignatureAlgorithm } from './signature-algorithm.ts'
export type { CertificateSource } from './source.ts'
export { TrustStore, type TrustStoreOptions, type TrustStorePemOptions } from './trust-store.ts'
export {
  type CertificateFileProblem,
  type CertificateFileProblemCode,
  type ValidateFileOptions,
  validateCertificateFile,
} from './validate-file.ts'
