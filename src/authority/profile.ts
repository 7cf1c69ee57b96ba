// What an authority signs: one profile for each purpose. A profile is a list of what is allowed; what it does not name is
// refused, whoever asks for it.

import { isObjectIdentifier } from '../certificate/der-writer.ts'
import {
  EXTENSION,
  KEY_USAGES,
  type KeyUsage,
  purposeIdentifier,
  type SubjectAltNames,
} from '../certificate/extensions.ts'
import {
  requireBoolean,
  requireFunction,
  requireInteger,
  requireList,
  requireOneOf,
  requireOptions,
  requireString,
  show,
} from '../internal/arguments.ts'
import type { CertificateDraft } from './draft.ts'
import { type Duration, parseDuration } from './duration.ts'
import type { SigningContext } from './signing-context.ts'

/** The kinds of alternative names. */
export type AlternativeNameKind = keyof SubjectAltNames

/** The keys that can be certified. `RSA`: from 2048 bits on. */
export type CertifiedKey = 'P-256' | 'P-384' | 'P-521' | 'Ed25519' | 'Ed448' | 'RSA'

/** What can be in the names of a certificate. */
export interface NamePolicy {
  /** The types of subject fields that there may be (`CN`, `UID`); default none. Each at most once. */
  readonly subject?: readonly string[]
  /** Those that there must be. */
  readonly requiredSubject?: readonly string[]
  /** The kinds of alternative names that there may be; default none. */
  readonly alternatives?: readonly AlternativeNameKind[]
  /** Of these kinds together there must be at least one. */
  readonly requiredAlternatives?: readonly AlternativeNameKind[]
  /** Default 20. */
  readonly maxAlternatives?: number
  /** Whether hosts may begin with `*.`. Default false. */
  readonly wildcards?: boolean
  /**
   * What is taken over from a request if neither the caller nor `authorize` names anything: types of subject fields, kinds
   * of alternative names. Default nothing. Whatever is taken is checked like everything else, so say in `authorize` or in
   * `check` whose names they may be.
   */
  readonly takenFromRequest?: {
    readonly subject?: readonly string[]
    readonly alternatives?: readonly AlternativeNameKind[]
  }
}

/** How holders of a certificate get the next one, by showing the current one. */
export interface RenewalPolicy {
  /** How long before its end; `last-third` of its time by default. */
  readonly window?: Duration | 'last-third'
  /** For how long after its end. Default not at all. */
  readonly graceAfterExpiry?: Duration
  /** Whether the next one may have, or must have, another key. Default `allowed`. */
  readonly rekey?: 'allowed' | 'required' | 'never'
}

/** What is signed for one purpose. */
export interface Profile {
  /** What requests and rows call it. */
  readonly name: string
  /** Default all. */
  readonly keys?: readonly CertifiedKey[]
  /** What may be in the names. */
  readonly names: NamePolicy
  /** How long certificates last: if nobody says anything, at most, and at least. */
  readonly validity: { readonly default: Duration; readonly max: Duration; readonly min?: Duration }
  /** How far in the past it begins, for clocks that are slow. Default `'300s'`; at most `'24h'`. */
  readonly backdate?: Duration
  /** What the keys may be used for (RFC 5280 section 4.2.1.3). */
  readonly keyUsage: readonly KeyUsage[]
  /** Short names (`clientAuth`, `serverAuth`) or dotted identifiers. */
  readonly extendedKeyUsage: readonly string[]
  /** Where the revocation list is. `presign` may give others. */
  readonly crlUrls?: readonly string[]
  /** Where the authority's certificate is. */
  readonly issuerUrls?: readonly string[]
  /** Extensions that `presign` may add, by their identifiers. Default none. */
  readonly extraExtensions?: readonly string[]
  /** Default: in the last third, with any key. False: not at all. */
  readonly renewal?: RenewalPolicy | false
  /** The last word, on what will really be signed: names in canonical form, nothing to be changed. Throws to refuse. */
  readonly check?: (draft: Readonly<CertificateDraft>, context: SigningContext) => void | Promise<void>
}

/** @internal A profile with its defaults. */
export interface ReadProfile {
  readonly name: string
  /** Whether what it signs may sign others. Only the built-in `intermediate` does. */
  readonly isAuthority: boolean
  readonly keys: ReadonlySet<CertifiedKey>
  readonly names: {
    readonly subject: ReadonlySet<string>
    readonly requiredSubject: readonly string[]
    readonly alternatives: ReadonlySet<AlternativeNameKind>
    readonly requiredAlternatives: readonly AlternativeNameKind[]
    readonly maxAlternatives: number
    readonly wildcards: boolean
    readonly takenSubject: ReadonlySet<string>
    readonly takenAlternatives: ReadonlySet<AlternativeNameKind>
  }
  readonly validity: { readonly default: Duration; readonly max: Duration; readonly min: Duration }
  readonly backdateMs: number
  readonly keyUsage: readonly KeyUsage[]
  readonly extendedKeyUsage: readonly string[]
  readonly crlUrls: readonly string[]
  readonly issuerUrls: readonly string[]
  readonly extraExtensions: ReadonlySet<string>
  readonly renewal: Required<RenewalPolicy> | null
  readonly check: Profile['check'] | null
}

export const CERTIFIED_KEYS: readonly CertifiedKey[] = ['P-256', 'P-384', 'P-521', 'Ed25519', 'Ed448', 'RSA']
const ALTERNATIVES: readonly AlternativeNameKind[] = ['dns', 'ip', 'email', 'uri']

/** Extensions that a draft has fields for, or that say who may sign: never among the extra ones. */
const OWN_EXTENSIONS: ReadonlySet<string> = new Set(Object.values(EXTENSION))

/**
 * Checks a profile.
 *
 * @throws {TypeError} For a part of the wrong type, an unknown or missing one.
 * @throws {RangeError} For durations that do not fit each other, or an authority's usage, which no profile has.
 * @example
 * import { CertificateAuthority, defineProfile } from 'tlacacoca/authority'
 *
 * const moderators = defineProfile({
 *   name: 'moderators',
 *   names: { subject: ['CN', 'OU'], requiredSubject: ['CN'] },
 *   validity: { default: '7d', max: '30d' },
 *   keyUsage: ['digitalSignature'],
 *   extendedKeyUsage: ['clientAuth'],
 * })
 * const authority = await CertificateAuthority.open('/var/lib/ca', { profiles: [moderators] })
 * await authority.close()
 */
export function defineProfile(profile: Profile): Profile {
  readProfile(profile)
  return Object.freeze({ ...profile })
}

/** @internal */
export function readProfile(profile: Profile): ReadProfile {
  requireOptions('profile', profile, PROFILE_PARTS)
  requireString('profile.name', profile.name)
  if (!/^[a-z][a-z0-9-]{0,63}$/.test(profile.name)) {
    throw new RangeError(`"profile.name" expected lower-case letters, digits and hyphens, got ${show(profile.name)}`)
  }
  const { keyUsage, check } = profile
  const uses = listOf('profile.keyUsage', keyUsage, KEY_USAGES)
  if (uses.length === 0) throw new RangeError('"profile.keyUsage" expected at least one')
  for (const use of ['keyCertSign', 'cRLSign'] as const) {
    if (uses.includes(use)) {
      throw new RangeError(`"profile.keyUsage" expected no ${use}; authorities are signed by "signIntermediate"`)
    }
  }
  if (check !== undefined) requireFunction('profile.check', check)
  return {
    name: profile.name,
    isAuthority: false,
    keys: new Set(listOf('profile.keys', profile.keys ?? CERTIFIED_KEYS, CERTIFIED_KEYS)),
    names: readNames(profile.names),
    validity: readBounds(profile),
    backdateMs: readBackdate(profile.backdate ?? '300s'),
    keyUsage: uses,
    extendedKeyUsage: readPurposes(profile.extendedKeyUsage),
    crlUrls: textsOf('profile.crlUrls', profile.crlUrls ?? []),
    issuerUrls: textsOf('profile.issuerUrls', profile.issuerUrls ?? []),
    extraExtensions: readExtra(profile.extraExtensions ?? []),
    renewal: profile.renewal === false ? null : readRenewal(profile.renewal ?? {}),
    check: check ?? null,
  }
}

function readNames(names: NamePolicy): ReadProfile['names'] {
  requireOptions('profile.names', names, NAME_PARTS)
  const { maxAlternatives = 20, wildcards = false, takenFromRequest = {} } = names
  requireInteger('profile.names.maxAlternatives', maxAlternatives, 0, 100)
  requireBoolean('profile.names.wildcards', wildcards)
  requireOptions('profile.names.takenFromRequest', takenFromRequest, ['subject', 'alternatives'])
  const subject = new Set(textsOf('profile.names.subject', names.subject ?? []))
  const alternatives = new Set(listOf('profile.names.alternatives', names.alternatives ?? [], ALTERNATIVES))
  const requiredSubject = within('profile.names.requiredSubject', names.requiredSubject ?? [], subject)
  const required = within('profile.names.requiredAlternatives', names.requiredAlternatives ?? [], alternatives)
  const takenSubject = within('profile.names.takenFromRequest.subject', takenFromRequest.subject ?? [], subject)
  const taken = within('profile.names.takenFromRequest.alternatives', takenFromRequest.alternatives ?? [], alternatives)
  return {
    subject,
    requiredSubject,
    alternatives,
    requiredAlternatives: required,
    maxAlternatives,
    wildcards,
    takenSubject: new Set(takenSubject),
    takenAlternatives: new Set(taken),
  }
}

function readBounds({ validity }: Profile): ReadProfile['validity'] {
  requireOptions('profile.validity', validity, ['default', 'max', 'min'])
  const { min = '1h' } = validity
  // 2001 begins with years of 365 days.
  const start = new Date(Date.UTC(2001, 0, 1))
  const [least, usual, most] = [min, validity.default, validity.max].map((duration, index) =>
    parseDuration(duration, `profile.validity.${['min', 'default', 'max'][index]}`).from(start),
  ) as [Date, Date, Date]
  if (least > usual || usual > most) {
    throw new RangeError('"profile.validity" expected min, default and max to be in this order')
  }
  return { default: validity.default, max: validity.max, min }
}

function readBackdate(backdate: Duration): number {
  const ms = parseDuration(backdate, 'profile.backdate').from(new Date(0)).getTime()
  if (ms > 86_400_000) throw new RangeError(`"profile.backdate" expected at most 24 hours, got ${show(backdate)}`)
  return ms
}

function readPurposes(list: readonly string[]): readonly string[] {
  return textsOf('profile.extendedKeyUsage', list).map((purpose) => {
    try {
      return purposeIdentifier(purpose)
    } catch (cause) {
      const wanted = 'purposes such as clientAuth, or dotted identifiers'
      throw new TypeError(`"profile.extendedKeyUsage" expected ${wanted}, got ${show(purpose)}`, { cause })
    }
  })
}

function readExtra(list: readonly string[]): ReadonlySet<string> {
  for (const oid of textsOf('profile.extraExtensions', list)) {
    if (!isObjectIdentifier(oid)) {
      throw new RangeError(`"profile.extraExtensions" expected dotted object identifiers, got ${show(oid)}`)
    }
    if (OWN_EXTENSIONS.has(oid)) {
      throw new RangeError(`"profile.extraExtensions" expected none that the authority writes itself, got ${oid}`)
    }
  }
  return new Set(list)
}

function readRenewal(renewal: RenewalPolicy): Required<RenewalPolicy> {
  requireOptions('profile.renewal', renewal, ['window', 'graceAfterExpiry', 'rekey'])
  const { window = 'last-third', graceAfterExpiry = NO_GRACE, rekey = 'allowed' } = renewal
  if (window !== 'last-third') parseDuration(window, 'profile.renewal.window')
  if (graceAfterExpiry !== NO_GRACE) parseDuration(graceAfterExpiry, 'profile.renewal.graceAfterExpiry')
  requireOneOf('profile.renewal.rekey', rekey, ['allowed', 'required', 'never'])
  return { window, graceAfterExpiry, rekey }
}

/** @internal No duration, which is always above zero. */
export const NO_GRACE = 0

function listOf<Word extends string>(name: string, list: unknown, words: readonly Word[]): readonly Word[] {
  return textsOf(name, list).map((word) => {
    requireOneOf(name, word, words)
    return word
  })
}

function textsOf(name: string, list: unknown): readonly string[] {
  requireList(name, list)
  const texts = [...list]
  for (const text of texts) requireString(name, text)
  return Object.freeze(texts as string[])
}

function within<Word extends string>(name: string, list: readonly Word[], allowed: ReadonlySet<Word>): readonly Word[] {
  for (const word of textsOf(name, list)) {
    if (!allowed.has(word as Word)) throw new RangeError(`"${name}" expected only what is allowed, got ${show(word)}`)
  }
  return list
}

const PROFILE_PARTS: readonly (keyof Profile)[] = [
  'name',
  'keys',
  'names',
  'validity',
  'backdate',
  'keyUsage',
  'extendedKeyUsage',
  'crlUrls',
  'issuerUrls',
  'extraExtensions',
  'renewal',
  'check',
]
const NAME_PARTS: readonly (keyof NamePolicy)[] = [
  'subject',
  'requiredSubject',
  'alternatives',
  'requiredAlternatives',
  'maxAlternatives',
  'wildcards',
  'takenFromRequest',
]
