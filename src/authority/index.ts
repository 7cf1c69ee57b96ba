export type { AlternativeNames } from '../certificate/alternative-names.ts'
export { CertificateRequest } from '../certificate/certificate-request.ts'
export type { CertificateExtension, KeyUsage, SubjectAltNames } from '../certificate/extensions.ts'
export type { NameField } from '../certificate/name-fields.ts'
export type { RevocationChecker, RevocationReason, RevocationStatus } from '../certificate/revocation-checker.ts'
export {
  AuthorityError,
  CertificateError,
  CertificateRequestError,
  CsrNotAuthedError,
  FileError,
  InvalidNameError,
  PrivateKeyError,
  StoreError,
  TlacacocaError,
} from '../errors.ts'
export type { AuditEvent, AuditVerdict, NewAuditEvent } from './audit.ts'
export { AUDIT_START, verifyAuditTrail } from './audit.ts'
export type { AuthorityOptions, IntermediateRequest, IssuedListFilter, SignRequest } from './certificate-authority.ts'
export { CertificateAuthority } from './certificate-authority.ts'
export type { Crl } from './crl.ts'
export type { CrlEntry } from './crl-encoding.ts'
export type { CertificateDraft, DraftNames } from './draft.ts'
export type { Duration, ParsedDuration } from './duration.ts'
export { parseDuration } from './duration.ts'
export type { AuthorityEvent } from './events.ts'
export type { Authorization, HooksFactory, IssuedCertificate } from './hooks.ts'
export { SigningHooks } from './hooks.ts'
export type { ForwardedHeader } from './http/client-address.ts'
export type {
  AuthorityHandler,
  AuthorityHandlerOptions,
  AuthorityHttpEvent,
  AuthorityRequestContext,
} from './http/handler.ts'
export { createAuthorityHandler } from './http/handler.ts'
export type { NodeListener, NodeListenerOptions } from './http/node-listener.ts'
export { nodeListener } from './http/node-listener.ts'
export type {
  AuthorityIdentity,
  AuthorityWarning,
  CreateAuthorityOptions,
  OpenAuthorityOptions,
} from './identity-directory.ts'
export { createAuthorityDirectory, openAuthorityDirectory } from './identity-directory.ts'
export type { AuthorityKeyKind } from './identity-directory-create.ts'
export type {
  Awaitable,
  BeginOutcome,
  BegunCrl,
  CompleteOutcome,
  HoldOutcome,
  IssuedFilter,
  IssuedNotice,
  IssuedRow,
  IssuedStatus,
  IssuedStore,
  NewIssued,
  ReleaseOutcome,
  ReplayWindow,
  Revocation,
  RevokeOutcome,
  StatusChange,
  StoredCrl,
} from './issued-store.ts'
export type { AuthorityLimiter, AuthorityLimiterOptions, SigningAttempt, SigningLimit } from './limiter.ts'
export { limitByMiddleware, MemoryAuthorityLimiter } from './limiter.ts'
export { MemoryIssuedStore } from './memory-issued-store.ts'
export type { PassphraseSource } from './passphrase-source.ts'
export type { AlternativeNameKind, CertifiedKey, NamePolicy, Profile, RenewalPolicy } from './profile.ts'
export { defineProfile } from './profile.ts'
export type { BuiltInProfile } from './profiles.ts'
export type { RenewalProblem } from './renewal.ts'
export type { CrlOptions, HoldOptions, RevokeOptions } from './revoking.ts'
export type { SerialNumberGenerator } from './serial-number.ts'
export type { Requester, SigningContext } from './signing-context.ts'
export type { SqliteIssuedStoreOptions } from './sqlite-issued-store.ts'
export { SqliteIssuedStore } from './sqlite-issued-store.ts'
