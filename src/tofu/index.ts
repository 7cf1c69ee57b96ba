export {
  CertificateChangedError,
  CertificateError,
  FileError,
  type FileProblem,
  ImportError,
  InvalidNameError,
  NotTrustedError,
  SignatureError,
  StoreError,
  TlacacocaError,
} from '../errors.ts'
export type { PlatformFacts } from '../internal/app-data-folder.ts'
export type { Pinnable, TrustOptions } from './changes.ts'
export { detectKnownHosts } from './formats/detect.ts'
export type { KnownHostsExport, KnownHostsExportOptions } from './formats/export-known-hosts.ts'
export type { LeftOutPin } from './formats/host-to-write.ts'
export type { KnownHostsImport, KnownHostsImportOptions } from './formats/import-known-hosts.ts'
export type { KnownHostsExportFormat, KnownHostsFormat } from './formats/known-host.ts'
export { HashedPinStore } from './hashed-pin-store.ts'
export type { HostInfo } from './host-info.ts'
export type {
  ConflictDecider,
  ImportCounts,
  ImportPlan,
  ImportPlanOptions,
  ImportPortion,
} from './import-plan.ts'
export { applyImport, planImport } from './import-plan.ts'
export { MemoryPinStore } from './memory-pin-store.ts'
export { defaultPinPath } from './paths.ts'
export type { Pin, PinChange, PinChangeCause, PinState } from './pin.ts'
export type {
  Awaitable,
  ClearedPins,
  ContestedSubject,
  PinListing,
  PinnedMaterial,
  PinPurge,
  PinStage,
  PinStore,
  PinUpdate,
  PurgedPins,
  SeenMaterial,
  StagedPin,
  StagedPins,
  SubjectChange,
} from './pin-store.ts'
export type {
  ChangedPolicy,
  ChangeReason,
  PolicyWord,
  TofuAnswer,
  TofuPolicy,
  VouchQuestion,
} from './policy.ts'
export type { PublicKeys } from './rotation.ts'
export { type ListSignature, type SignListOptions, signKnownHosts } from './signed-list.ts'
export type { SqlitePinStoreOptions } from './sqlite-pin-store.ts'
export { SqlitePinStore } from './sqlite-pin-store.ts'
export type { HostPage, TofuOpenOptions, TofuOptions, VerifyOptions } from './tofu-store.ts'
export { TofuStore } from './tofu-store.ts'
export type { ExportOptions, ImportOptions, ImportProgress } from './toml-exchange.ts'
export type {
  AcceptedVerdict,
  ChangedVerdict,
  ChangeVerdict,
  DistrustedVerdict,
  FirstUseVerdict,
  JudgeOptions,
  PinnedFacts,
  RenewedVerdict,
  RotatedVerdict,
  TofuRule,
  TrustedVerdict,
  TrustedVisit,
  Verdict,
  VerdictFacts,
} from './verdict.ts'
export { judgePins } from './verdict.ts'
export { tofu } from './verifier.ts'
export type { Decider, TofuEvent } from './visit.ts'
export { vouchedBy } from './vouched-by.ts'
