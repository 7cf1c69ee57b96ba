// A certificate before it is signed: put together from what the profile, the caller and the `authorize` hook say, changed
// by `presign`, and checked afterwards, so that what is signed is what the profile allows whoever had a hand in it.

import { type AlternativeNames, readAlternativeNames } from '../certificate/alternative-names.ts'
import type { Certificate } from '../certificate/certificate.ts'
import type { CertificateRequest } from '../certificate/certificate-request.ts'
import { rawExtension } from '../certificate/extension-maker.ts'
import {
  type CertificateExtension,
  type KeyUsage,
  purposeIdentifier,
  type SubjectAltNames,
} from '../certificate/extensions.ts'
import type { Fingerprint } from '../certificate/fingerprint.ts'
import { type NameField, readNameFields, type WritableAttribute } from '../certificate/name-fields.ts'
import { AuthorityError } from '../errors.ts'
import { requireList, requireOptions, show } from '../internal/arguments.ts'
import { type Duration, parseDuration } from './duration.ts'
import type { AlternativeNameKind, ReadProfile } from './profile.ts'

/** Names that can still be changed. */
export type DraftNames = { -readonly [Kind in AlternativeNameKind]: string[] }

/** A certificate before it is signed. `presign` may change what is not read-only. */
export interface CertificateDraft {
  /** The name of the profile, by which the draft will be checked. */
  readonly profile: string
  /** Lower-case hex. */
  readonly serialNumber: string
  /** The key that is certified. */
  readonly publicKey: Fingerprint
  /** The name, field by field. */
  subject: NameField[]
  subjectAltNames: DraftNames
  /** The first instant at which it will be valid. */
  notBefore: Date
  /** The last one. The profile says how late it may be. */
  notAfter: Date
  /** What the key may be used for (RFC 5280 section 4.2.1.3). */
  keyUsage: KeyUsage[]
  /** Short names or dotted identifiers. */
  extendedKeyUsage: string[]
  /** Where the revocation list is. */
  crlUrls: string[]
  /** Where the certificate of the authority is. */
  issuerUrls: string[]
  /** Further extensions, as far as the profile allows them. */
  extensions: CertificateExtension[]
}

/** @internal What was found to be in order, in canonical form. */
export interface CheckedDraft {
  readonly subject: readonly WritableAttribute[]
  readonly subjectAltNames: SubjectAltNames
  /** Whole seconds, as certificates have them. */
  readonly notBefore: Date
  readonly notAfter: Date
  readonly keyUsage: readonly KeyUsage[]
  /** Dotted identifiers. */
  readonly extendedKeyUsage: readonly string[]
  readonly crlUrls: readonly string[]
  readonly issuerUrls: readonly string[]
  readonly extensions: readonly CertificateExtension[]
}

/** @internal What a draft is made of. */
export interface DraftParts {
  readonly profile: ReadProfile
  readonly issuer: Certificate
  readonly request: CertificateRequest | null
  readonly publicKey: Fingerprint
  readonly serialNumber: string
  readonly now: Date
  /** What the hook, or else the caller says; undefined leaves it to the profile. */
  readonly subject: readonly NameField[] | undefined
  readonly subjectAltNames: AlternativeNames | undefined
  readonly validity: Duration | undefined
  readonly clientHash: string | null
}

/** @internal @throws {AuthorityError} AUTHORITY_POLICY for a validity that the profile does not allow. */
export function makeDraft(parts: DraftParts): CertificateDraft {
  const { profile, issuer, now, publicKey, serialNumber } = parts
  const alternatives = givenAlternatives(parts) ?? takenAlternatives(parts)
  const names = {
    dns: [...(alternatives.dns ?? [])],
    ip: [...(alternatives.ip ?? [])],
    email: [...(alternatives.email ?? [])],
    uri: [...(alternatives.uri ?? [])],
  }
  return {
    profile: profile.name,
    serialNumber,
    publicKey,
    subject: subjectOf(parts, names),
    subjectAltNames: names,
    notBefore: wholeSecond(Math.max(now.getTime() - profile.backdateMs, issuer.notBefore.getTime())),
    notAfter: endOf(parts),
    keyUsage: [...profile.keyUsage],
    extendedKeyUsage: [...profile.extendedKeyUsage],
    crlUrls: [...profile.crlUrls],
    issuerUrls: [...profile.issuerUrls],
    extensions: [],
  }
}

/** A text in place of a list would be read letter by letter, and a kind that nobody knows be dropped. */
function givenAlternatives({ subjectAltNames }: DraftParts): AlternativeNames | undefined {
  if (subjectAltNames === undefined) return undefined
  return attempt('subjectAltNames', () => {
    requireOptions('subjectAltNames', subjectAltNames, ['dns', 'ip', 'email', 'uri'])
    for (const [kind, list] of Object.entries(subjectAltNames)) {
      if (list !== undefined) requireList(`subjectAltNames.${kind}`, list)
    }
    return subjectAltNames
  })
}

function subjectOf({ profile, request, subject, clientHash, publicKey }: DraftParts, names: DraftNames): NameField[] {
  if (subject !== undefined) return attempt('subject', () => subject.map(([type, value]): NameField => [type, value]))
  const taken = (request?.subject.attributes ?? [])
    .filter(({ type }) => profile.names.takenSubject.has(type))
    .map(({ type, value }): NameField => [type, value])
  if (taken.length > 0) return taken
  // RFC 5280 section 4.1.2.6: an empty subject needs an alternative name. A name that says nothing does no harm.
  const isNamed = Object.values(names).some((list) => list.length > 0)
  if (isNamed || !profile.names.subject.has('CN')) return []
  return [['CN', clientHash !== null && clientHash.length <= 64 ? clientHash : publicKey.slice('spki-sha256:'.length)]]
}

function takenAlternatives({ profile, request }: DraftParts): AlternativeNames {
  const kinds = [...profile.names.takenAlternatives]
  return Object.fromEntries(kinds.map((kind) => [kind, request?.subjectAltNames[kind] ?? []]))
}

function endOf({ profile, issuer, now, validity }: DraftParts): Date {
  const { min, max, default: usual } = profile.validity
  const endAfter = (duration: Duration): number =>
    attempt('validity', () => parseDuration(duration, 'validity').from(now)).getTime()
  const [least, most] = [endAfter(min), endAfter(max)]
  // A year is not always as many days as when the profile was defined, and nobody has asked for more than it allows.
  const wanted = validity === undefined ? Math.min(Math.max(endAfter(usual), least), most) : endAfter(validity)
  if (wanted > most || wanted < least) {
    throw policy('notAfter', `"${profile.name}" signs for ${min} to ${max}, not for ${validity ?? usual}`)
  }
  // Nothing outlives its issuer. RFC 5280 section 4.1.2.5: the last second belongs to the certificate.
  return wholeSecond(Math.min(wanted, issuer.notAfter.getTime()))
}

/**
 * @internal Checks a draft against its profile.
 *
 * @throws {AuthorityError} AUTHORITY_POLICY, with the field.
 */
export function checkDraft(
  draft: CertificateDraft,
  { profile, issuer, now }: Pick<DraftParts, 'profile' | 'issuer' | 'now'>,
): CheckedDraft {
  const { names } = profile
  const subject = attempt('subject', () => readNameFields(draft.subject))
  const types = draft.subject.map(([type]) => type)
  // A type can be spelled in two ways, `CN` and `2.5.4.3`.
  const identifiers = subject.map(({ oid }) => oid)
  for (const [index, type] of types.entries()) {
    if (!profile.names.subject.has(type)) throw policy('subject', `"${profile.name}" has no place for ${show(type)}`)
    // Authorities are called what they are called, and have several OU for one.
    if (!profile.isAuthority && identifiers.indexOf(identifiers[index] ?? '') !== index) {
      throw policy('subject', `"${profile.name}" has ${show(type)} at most once`)
    }
  }
  for (const type of names.requiredSubject) {
    if (!types.includes(type)) throw policy('subject', `"${profile.name}" needs a ${type}; name one in "subject"`)
  }

  const alternatives = attempt('subjectAltNames', () => readAlternativeNames(draft.subjectAltNames, names))
  const kinds = Object.entries(alternatives) as [AlternativeNameKind, readonly string[]][]
  for (const [kind, list] of kinds) {
    if (list.length > 0 && !names.alternatives.has(kind)) {
      throw policy(`subjectAltNames.${kind}`, `"${profile.name}" has no place for names of this kind`)
    }
  }
  const count = kinds.reduce((sum, [, list]) => sum + list.length, 0)
  if (count > names.maxAlternatives) {
    throw policy('subjectAltNames', `"${profile.name}" has at most ${names.maxAlternatives}, not ${count}`)
  }
  const required = names.requiredAlternatives
  if (required.length > 0 && !required.some((kind) => alternatives[kind].length > 0)) {
    throw policy(
      'subjectAltNames',
      `"${profile.name}" needs one of ${required.join(', ')}; name it in "subjectAltNames"`,
    )
  }
  if (subject.length === 0 && count === 0)
    throw policy('subject', 'a certificate needs a subject or an alternative name')
  requireHonestCommonName(subject, alternatives, profile)

  const [notBefore, notAfter] = checkDates(draft, { profile, issuer, now })
  return {
    subject,
    subjectAltNames: alternatives,
    notBefore,
    notAfter,
    keyUsage: within('keyUsage', listOf('keyUsage', draft.keyUsage), profile.keyUsage, profile),
    extendedKeyUsage: within(
      'extendedKeyUsage',
      attempt('extendedKeyUsage', () => listOf('extendedKeyUsage', draft.extendedKeyUsage).map(purposeIdentifier)),
      profile.extendedKeyUsage,
      profile,
    ),
    crlUrls: urlsOf('crlUrls', listOf('crlUrls', draft.crlUrls)),
    issuerUrls: urlsOf('issuerUrls', listOf('issuerUrls', draft.issuerUrls)),
    extensions: checkExtensions(listOf('extensions', draft.extensions), profile),
  }
}

/** A hook may have put anything in the place of a list. */
function listOf<T>(field: string, list: readonly T[]): readonly T[] {
  return attempt(field, () => {
    requireList(field, list)
    return [...list]
  })
}

/** A common name that looks like a host is read as one by old programs, so a server's must be among the others. */
function requireHonestCommonName(
  subject: readonly WritableAttribute[],
  names: SubjectAltNames,
  profile: ReadProfile,
): void {
  if (!profile.extendedKeyUsage.includes(purposeIdentifier('serverAuth')) || profile.names.subject.has('UID')) return
  const name = subject.find(({ oid }) => oid === COMMON_NAME)?.value
  if (name === undefined || names.dns.includes(name) || names.ip.includes(name)) return
  throw policy('subject', 'the common name of a server must be one of its alternative names')
}

const COMMON_NAME = '2.5.4.3'

/**
 * @internal A draft as it was checked, for those who look at it afterwards: with the names in the form that is signed, so
 * that a list of names can be compared with it, and out of reach of whoever kept the draft.
 */
export function finishedDraft(
  draft: CertificateDraft,
  checked: CheckedDraft,
  { profile, serialNumber, publicKey }: Pick<DraftParts, 'profile' | 'serialNumber' | 'publicKey'>,
): Readonly<CertificateDraft> {
  const { dns, ip, email, uri } = checked.subjectAltNames
  const finished: CertificateDraft = {
    profile: profile.name,
    serialNumber,
    publicKey,
    subject: draft.subject.map(([type, value]): NameField => Object.freeze([type, value])),
    subjectAltNames: { dns: [...dns], ip: [...ip], email: [...email], uri: [...uri] },
    // Dates and octets can be changed though they are frozen, so not those that are signed.
    notBefore: new Date(checked.notBefore),
    notAfter: new Date(checked.notAfter),
    keyUsage: [...checked.keyUsage],
    extendedKeyUsage: [...checked.extendedKeyUsage],
    crlUrls: [...checked.crlUrls],
    issuerUrls: [...checked.issuerUrls],
    extensions: checked.extensions.map(({ value, ...rest }) => ({ ...rest, value: new Uint8Array(value) })),
  }
  for (const part of [...Object.values(finished.subjectAltNames), ...Object.values(finished)]) Object.freeze(part)
  return Object.freeze(finished)
}

function checkDates(
  draft: CertificateDraft,
  { profile, issuer, now }: Pick<DraftParts, 'profile' | 'issuer' | 'now'>,
): [notBefore: Date, notAfter: Date] {
  const [begin, end] = [draft.notBefore, draft.notAfter].map((date, index) => {
    const field = index === 0 ? 'notBefore' : 'notAfter'
    if (!(date instanceof Date) || Number.isNaN(date.getTime())) throw policy(field, `it is ${show(date)}, and no date`)
    return wholeSecond(date.getTime())
  }) as [Date, Date]
  const earliest = Math.max(now.getTime() - profile.backdateMs - 1000, issuer.notBefore.getTime())
  if (begin.getTime() < earliest) throw policy('notBefore', `${begin.toISOString()} is too far in the past`)
  const longest = parseDuration(profile.validity.max).from(now)
  if (end > longest) throw policy('notAfter', `${end.toISOString()} is later than "${profile.name}" allows`)
  // Unless it is the end of the authority that cuts it short.
  const shortest = wholeSecond(parseDuration(profile.validity.min).from(now).getTime())
  if (end < shortest && end < wholeSecond(issuer.notAfter.getTime())) {
    throw policy('notAfter', `${end.toISOString()} is earlier than "${profile.name}" allows`)
  }
  if (end > issuer.notAfter) throw policy('notAfter', `${end.toISOString()} is later than the end of the authority`)
  if (end <= begin || end <= now) throw policy('notAfter', `${end.toISOString()} is no end for what begins then`)
  return [begin, end]
}

function checkExtensions(list: readonly CertificateExtension[], profile: ReadProfile): CertificateExtension[] {
  const extensions = list.map((each) => checkExtension(each, profile))
  // RFC 5280 section 4.2.
  const identifiers = extensions.map(({ oid }) => oid)
  const twice = identifiers.find((oid, index) => identifiers.indexOf(oid) !== index)
  if (twice !== undefined) throw policy('extensions', `the extension ${show(twice)} is there twice`)
  return extensions
}

function checkExtension(extension: CertificateExtension, profile: ReadProfile): CertificateExtension {
  attempt('extensions', () => requireOptions('extension', extension, ['oid', 'critical', 'value']))
  const { oid, critical, value } = extension
  if (!profile.extraExtensions.has(oid)) {
    const advice = 'name it in "extraExtensions" of the profile'
    throw policy('extensions', `"${profile.name}" does not allow the extension ${show(oid)}; ${advice}`)
  }
  return attempt('extensions', () => rawExtension(oid, value, { critical }))
}

function within<Word extends string>(
  field: string,
  list: readonly Word[],
  allowed: readonly string[],
  profile: ReadProfile,
): readonly Word[] {
  for (const word of list) {
    if (!allowed.includes(word)) throw policy(field, `"${profile.name}" does not allow ${show(word)}`)
  }
  if (list.length === 0 && allowed.length > 0) throw policy(field, `"${profile.name}" needs at least one`)
  return [...new Set(list)]
}

function urlsOf(field: string, urls: readonly string[]): readonly string[] {
  for (const url of urls) {
    const isUrl =
      typeof url === 'string' && url.length <= 2048 && /^(?:https?|gemini):[!-~]+$/.test(url) && URL.canParse(url)
    if (!isUrl) throw policy(field, `${show(url)} is no URL of http, https or gemini`)
  }
  return urls
}

/** What the readers of the library say about misuse is here about policy: the value may come from anywhere. */
function attempt<T>(field: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof RangeError || cause instanceof TypeError)) throw cause
    throw policy(field, cause.message, cause)
  }
}

function policy(field: string, problem: string, cause?: unknown): AuthorityError {
  const options = { field, ...(cause === undefined ? {} : { cause }) }
  return new AuthorityError(
    'ERR_TLACACOCA_AUTHORITY_POLICY',
    `the certificate cannot be signed: ${field}: ${problem}`,
    options,
  )
}

/** Certificates know no fractions of seconds. */
function wholeSecond(ms: number): Date {
  return new Date(Math.floor(ms / 1000) * 1000)
}
