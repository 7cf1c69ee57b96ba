// What `tlacacoca/identity` offers: the registry of a server, and the wallet of a client.

export {
  CertificateError,
  FileError,
  type FileProblem,
  IdentityError,
  IdentityMetadataError,
  ImportError,
  InvalidNameError,
  Pkcs12Error,
  PrivateKeyError,
  SignatureError,
  StoreError,
  TlacacocaError,
} from '../errors.ts'
export type { ExportableIdentity } from './formats/export-files.ts'
export type { IdentityTarget } from './formats/identity-target.ts'
export type { IdentityImport, ImportedIdentity, ImportProblem, ImportProblemCode } from './formats/imported-identity.ts'
export { type IdentitySource, type ReadIdentitiesOptions, readIdentities } from './formats/read-identities.ts'
export {
  type IdentityExport,
  type WriteIdentitiesOptions,
  writeIdentities,
} from './formats/write-identities.ts'
export type {
  Account,
  Credential,
  ExportedUser,
  IdentityHistoryLine,
  LinkedIdentity,
  PendingLink,
  User,
} from './registry/account.ts'
export type { IdentityEvent, IdentityOptions } from './registry/context.ts'
export type { IdentityOpenOptions } from './registry/identity-registry.ts'
export { IdentityRegistry } from './registry/identity-registry.ts'
export type {
  Awaitable,
  CertificateMarks,
  CredentialMatch,
  CredentialRevocation,
  CredentialSource,
  CredentialStatus,
  Happened,
  IdentityHistoryEvent,
  IdentityStore,
  LinkCodeKind,
  Linked,
  LinkedOutcome,
  LinkKind,
  LinkRequest,
  NewCredential,
  NewLinkCode,
  NothingChanged,
  RecoveryRequest,
  Redemption,
  Registration,
  Rotation,
  SeenCredential,
  Sighting,
  StoredAccount,
  StoredCredential,
  StoredEvent,
  StoredLink,
  StoredUser,
} from './registry/identity-store.ts'
export type { LinkCode, LinkCodeOptions, Recovery, UserProfile } from './registry/joining.ts'
export type {
  IdentityLimiter,
  LimitDecision,
  LimitedAction,
  LimitedTry,
  MemoryLimiterOptions,
} from './registry/limiter.ts'
export { MemoryIdentityLimiter } from './registry/limiter.ts'
export type { ExpiringOptions, RevokeCredentialOptions } from './registry/managing.ts'
export { MemoryIdentityStore } from './registry/memory-identity-store.ts'
export type { IdentityAuthority, IdentityPolicy } from './registry/policy.ts'
export type { IdentityNotice, RefusalReason, Resolution } from './registry/resolution.ts'
export type { SqliteIdentityStoreOptions } from './registry/sqlite-identity-store.ts'
export { SqliteIdentityStore } from './registry/sqlite-identity-store.ts'
export type { TransientIdentity, TransientOptions } from './registry/transient-identities.ts'
export { TransientIdentities } from './registry/transient-identities.ts'
export type { RotationExpectation, RotationOptions, RotationStatement } from './rotation-statement.ts'
export { signRotation, verifyRotation } from './rotation-statement.ts'
export type { Clearance, ClearanceQuestion } from './wallet/clearance.ts'
export type { ImportReport } from './wallet/exchange.ts'
export type { DeletedIdentity, Identity, IdentitySite } from './wallet/identity.ts'
export { type ForUrlOptions, IdentityWallet, type NewIdentityOptions } from './wallet/identity-wallet.ts'
export type { IdentityKeyType, IdentityValidity } from './wallet/new-identity.ts'
export type { IdentityConcern, RotationState } from './wallet/notes.ts'
export type { WalletProblem } from './wallet/pair.ts'
export type { IdentityUrl } from './wallet/place.ts'
export { RotationPlan, type RotationSite, type StatementOptions } from './wallet/rotation-plan.ts'
export { IdentityScope, originScope, pathScope } from './wallet/scope.ts'
export type { CertificateStatus, IdentityAdvice, IdentityOffer } from './wallet/suggest.ts'
export type { WalletOptions } from './wallet/wallet-options.ts'
