export type { Pinnable, TrustOptions } from './changes.ts'
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
  PinStage,
  PinStore,
  PinUpdate,
  SeenMaterial,
  StagedPins,
  SubjectChange,
} from './pin-store.ts'
export type { PolicyWord, TofuAnswer, TofuPolicy, VouchQuestion } from './policy.ts'
export type { PublicKeys } from './rotation.ts'
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
  TrustedVerdict,
  TrustedVisit,
  Verdict,
  VerdictFacts,
} from './verdict.ts'
export { judgePins } from './verdict.ts'
export { tofu } from './verifier.ts'
export type { Decider, TofuEvent } from './visit.ts'
