// From a request to a certificate. The order is that of those who have been attacked most: what costs least and says most
// comes first, a stranger's bytes reach OpenSSL only after their key was looked at, and nothing that a hook or a caller
// brings in goes unchecked into what is signed.
//
//     proof -> key -> authorize -> draft -> presign -> checked again -> issuing.ts -> postsign

import { createHash } from 'node:crypto'
import type { AlternativeNames } from '../certificate/alternative-names.ts'
import type { Certificate } from '../certificate/certificate.ts'
import type { CertificateRequest } from '../certificate/certificate-request.ts'
import { NO_ALT_NAMES } from '../certificate/extensions.ts'
import type { NameField } from '../certificate/name-fields.ts'
import { AuthorityError, CsrNotAuthedError, TlacacocaError } from '../errors.ts'
import { requireOptions, show } from '../internal/arguments.ts'
import type { Clock } from '../internal/clock.ts'
import { tell } from '../net/report.ts'
import { claimedNames } from './claimed-names.ts'
import { type CertificateDraft, checkDraft, finishedDraft, makeDraft } from './draft.ts'
import type { Duration } from './duration.ts'
import type { AuthorityEvent } from './events.ts'
import { type Authorization, type HooksFactory, type IssuedCertificate, SigningHooks } from './hooks.ts'
import type { IssuedRow, IssuedStore, NewIssued } from './issued-store.ts'
import type { IssuingKey } from './issuing.ts'
import { type KeyFacts, refuseBlockedKey, requireKey } from './key-policy.ts'
import type { ReadProfile } from './profile.ts'
import { notRenewed, renewAfter } from './renewal.ts'
import { randomSerialNumber, readSerialNumber, type SerialNumberGenerator } from './serial-number.ts'
import type { Requester, SigningContext } from './signing-context.ts'

/** What signing works with. */
export interface SigningParts {
  readonly key: IssuingKey
  /** The authority, and those above it. */
  readonly chain: readonly Certificate[]
  readonly store: IssuedStore | null
  readonly hooks: HooksFactory | null
  readonly serialNumberGenerator: SerialNumberGenerator | null
  readonly random: (size: number) => Uint8Array
  readonly clock: Clock
  readonly onEvent: (event: AuthorityEvent) => unknown
}

/** A certificate to be issued, once its request has been read. */
export interface SigningJob {
  readonly profile: ReadProfile
  readonly spki: Uint8Array
  readonly key: KeyFacts
  readonly request: CertificateRequest | null
  readonly clientHash: string | null
  readonly requester: Requester
  readonly renewalOf: IssuedRow | null
  readonly subject?: readonly NameField[] | undefined
  readonly subjectAltNames?: AlternativeNames | undefined
  readonly validity?: Duration | undefined
  readonly pathLength?: number
  /** Whether the same request, sent again, gets the same certificate. */
  readonly isRepeatable: boolean
}

/** RFC 5280 says nothing about it, but what is signed now should be of some use to its holder. */
const MIN_AUTHORITY_MS = 30 * 86_400_000
/** For how long the same request gets the same certificate: whoever got no answer asks again. */
const REPLAY_MS = 600_000
/** How long whoever signs has to tell `postsign` before others may. */
const NOTICE_MS = 60_000
const SERIAL_TRIES = 3

export class Signing {
  readonly #parts: SigningParts
  readonly #chainPem: string

  constructor(parts: SigningParts) {
    this.#parts = parts
    this.#chainPem = parts.chain.map((link) => link.toPem()).join('')
  }

  /** The same, where the caller decides. */
  withoutHooks(): Signing {
    return new Signing({ ...this.#parts, hooks: null })
  }

  /** Issues a certificate, or throws what is in the way. */
  async issue(job: SigningJob): Promise<IssuedCertificate> {
    const { profile, clientHash } = job
    try {
      const { issued, isNew } = await this.#issue(job)
      const { serialNumber } = issued
      if (isNew) tell(this.#parts.onEvent, { kind: 'issued', serialNumber, profile: profile.name, clientHash })
      return issued
    } catch (error) {
      tell(this.#parts.onEvent, { kind: 'refused', profile: profile.name, clientHash, error })
      throw error
    }
  }

  /** Calls `postsign` for a certificate that is in the store. */
  async tellLater(row: IssuedRow, profile: ReadProfile | null): Promise<void> {
    const { certificate, publicKey, clientHash } = row
    if (certificate === null) return
    const now = new Date(this.#parts.clock())
    const known = { profile: row.profile, publicKey, clientHash, request: null, requester: {}, renewalOf: null, now }
    const hooks = await this.#hooksFor(this.#contextOf(known, certificate.subjectPublicKeyInfo))
    await hooks?.postsign(this.#describe(certificate, row.profile, profile))
  }

  async #issue(job: SigningJob): Promise<{ readonly issued: IssuedCertificate; readonly isNew: boolean }> {
    const { key, store, clock } = this.#parts
    const { profile, request, clientHash, requester, renewalOf } = job
    const publicKey = job.key.publicKeyFingerprint
    const now = new Date(clock())
    if (Number.isNaN(now.getTime()))
      throw new RangeError('"clock" expected milliseconds since the epoch, got no number')
    requireTime(key.certificate, now)
    request?.requireProof()
    requireKey(job.key, profile, key.certificate)
    if (store !== null && (await store.isKeyBlocked(publicKey))) refuseBlockedKey()

    const known = { profile: profile.name, publicKey, clientHash, request, requester, renewalOf, now }
    const context = this.#contextOf(known, job.spki)
    const hooks = await this.#hooksFor(context)
    const allowed = hooks === null ? {} : await authorize(hooks, request, renewalOf)
    const wishes = {
      subject: allowed.subject ?? job.subject,
      subjectAltNames: allowed.subjectAltNames ?? job.subjectAltNames,
      validity: allowed.validity ?? job.validity,
    }

    for (let tries = 1; ; tries++) {
      const serialNumber = await this.#newSerialNumber()
      const facts = { profile, issuer: key.certificate, now, serialNumber, publicKey }
      const draft = makeDraft({ ...facts, ...wishes, request, clientHash })
      if (hooks !== null) await presign(hooks, draft)
      const checked = checkDraft(draft, facts)
      // Who kept the draft can still change it, but nothing that is looked at from here on.
      const finished = finishedDraft(draft, checked, facts)
      await inHook('the check of the profile', () => profile.check?.(finished, context))
      const { spki, pathLength } = job
      const ready = key.prepare(checked, {
        serialNumber,
        spki,
        profile,
        ...(pathLength === undefined ? {} : { pathLength }),
      })
      if (store === null) {
        const issued = this.#describe(await key.sign(ready), profile.name, profile)
        await this.#tellNow(hooks, issued)
        return { issued, isNew: true }
      }

      // Not when the request came: hooks may have taken long, and what has been pending for long is given up.
      const at = clock()
      const row = newRow(job, { tbsSha256: ready.tbsSha256, draft: finished, checked, at })
      let begun = await store.begin(row, job.isRepeatable ? { since: at - REPLAY_MS } : null)
      // One key may follow several certificates: the next one of another is no answer.
      if (begun.kind === 'replayed' && begun.row.renewedFrom !== row.renewedFrom) begun = await store.begin(row, null)
      switch (begun.kind) {
        case 'begun':
          break
        case 'replayed':
          return { issued: this.#describeRow(begun.row, profile), isNew: false }
        case 'key_blocked':
          return refuseBlockedKey()
        case 'not_renewable':
          throw notRenewed('revoked', 'it was revoked or held meanwhile')
        case 'in_progress':
          throw busy()
        case 'serial_taken':
          if (this.#parts.serialNumberGenerator !== null || tries >= SERIAL_TRIES) throw serialTaken(serialNumber)
          continue
        default:
          throw new TypeError(`"store" answered ${show(begun satisfies never)} to "begin"`)
      }

      const certificate = await key.sign(ready)
      const notifyAt = hooks === null ? null : clock() + NOTICE_MS
      const completed = await store.complete(serialNumber, certificate, at, notifyAt)
      if (completed.kind !== 'completed') {
        throw new AuthorityError(
          'ERR_TLACACOCA_AUTHORITY_BUSY',
          'the certificate was given up while it was being signed; it was not handed out, so ask again',
        )
      }
      const issued = this.#describe(certificate, profile.name, profile)
      if (hooks !== null) await this.#tellOrPostpone(store, hooks, issued, completed.noticeId)
      return { issued, isNew: true }
    }
  }

  async #hooksFor(context: SigningContext): Promise<SigningHooks | null> {
    const { hooks } = this.#parts
    if (hooks === null) return null
    const made = await inHook('the hooks factory', () => hooks(context))
    if (made instanceof SigningHooks) return made
    throw new TypeError(`"hooks" expected a factory of SigningHooks, and it made ${show(made)}`)
  }

  async #newSerialNumber(): Promise<string> {
    const { serialNumberGenerator, random } = this.#parts
    if (serialNumberGenerator === null) return randomSerialNumber(random)
    return readSerialNumber(await inHook('the serial number generator', serialNumberGenerator))
  }

  /** Without a store there is no other time. */
  async #tellNow(hooks: SigningHooks | null, issued: IssuedCertificate): Promise<void> {
    if (hooks !== null) await inHook('postsign', () => hooks.postsign(issued))
  }

  async #tellOrPostpone(
    store: IssuedStore,
    hooks: SigningHooks,
    issued: IssuedCertificate,
    noticeId: number | null,
  ): Promise<void> {
    try {
      await hooks.postsign(issued)
    } catch (error) {
      tell(this.#parts.onEvent, { kind: 'postsign_failed', serialNumber: issued.serialNumber, attempts: 1, error })
      return
    }
    // If this fails, `postsign` is told twice. The certificate is issued either way.
    if (noticeId === null) return
    try {
      await store.settleNotice(noticeId)
    } catch {}
  }

  #contextOf(
    known: Omit<SigningContext, 'authority' | 'publicKeySha1' | 'previousCertificates'>,
    spki: Uint8Array,
  ): SigningContext {
    const { store, key } = this.#parts
    return Object.freeze({
      ...known,
      authority: key.certificate,
      publicKeySha1: createHash('sha1').update(spki).digest('hex'),
      previousCertificates: () => previous(store, known.publicKey),
    })
  }

  #describeRow(row: IssuedRow, profile: ReadProfile): IssuedCertificate {
    if (row.certificate === null) throw busy()
    return this.#describe(row.certificate, row.profile, profile)
  }

  #describe(certificate: Certificate, name: string, profile: ReadProfile | null): IssuedCertificate {
    const { chain } = this.#parts
    const certificatePem = certificate.toPem()
    return Object.freeze({
      certificate,
      chain,
      certificatePem,
      chainPem: certificatePem + this.#chainPem,
      serialNumber: certificate.serialNumber,
      profile: name,
      renewAfter: renewAfter(certificate, profile),
    })
  }
}

interface Allowed {
  readonly validity?: Duration
  readonly subject?: readonly NameField[]
  readonly subjectAltNames?: AlternativeNames
}

async function authorize(
  hooks: SigningHooks,
  request: CertificateRequest | null,
  renewalOf: IssuedRow | null,
): Promise<Allowed> {
  const names = claimedNames(request?.subjectAltNames ?? renewalOf?.certificate?.subjectAltNames ?? NO_ALT_NAMES)
  const answer: Authorization = await inHook('authorize', () => hooks.authorize(names))
  if (typeof answer === 'number' || typeof answer === 'string') return { validity: answer }
  if (typeof answer !== 'object' || answer === null || answer.allow !== true) {
    throw new CsrNotAuthedError(`the request was not authorized: the hook answered ${show(answer)}, which is not a yes`)
  }
  return inHook('authorize', () => {
    requireOptions('authorization', answer, ['allow', 'validity', 'subject', 'subjectAltNames'])
    return answer
  })
}

async function presign(hooks: SigningHooks, draft: CertificateDraft): Promise<void> {
  await inHook('presign', () => hooks.presign(draft))
}

/** What the library says on purpose passes; anything else is a mistake in the hook. */
async function inHook<T>(name: string, call: () => T | Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (cause) {
    if (cause instanceof TlacacocaError) throw cause
    const message = `the certificate was not issued, because ${name} failed`
    throw new AuthorityError('ERR_TLACACOCA_AUTHORITY_HOOK_FAILED', message, { cause, reason: name })
  }
}

function requireTime({ notAfter, notBefore, subject }: Certificate, now: Date): void {
  if (now < notBefore) {
    const message = `the certificate of ${subject} is valid from ${notBefore.toISOString()} on; check the clock`
    throw new AuthorityError('ERR_TLACACOCA_AUTHORITY_NOT_YET_VALID', message)
  }
  if (notAfter.getTime() - now.getTime() >= MIN_AUTHORITY_MS) return
  const message = `the certificate of ${subject} ends at ${notAfter.toISOString()}, in less than 30 days; nothing is signed with it any more`
  throw new AuthorityError('ERR_TLACACOCA_AUTHORITY_EXPIRING', message)
}

async function previous(store: IssuedStore | null, publicKey: KeyFacts['publicKeyFingerprint']): Promise<IssuedRow[]> {
  const rows: IssuedRow[] = []
  if (store !== null) for await (const row of store.list({ publicKey })) rows.push(row)
  return rows
}

function newRow(
  job: SigningJob,
  facts: {
    readonly tbsSha256: string
    readonly draft: Readonly<CertificateDraft>
    readonly checked: ReturnType<typeof checkDraft>
    readonly at: number
  },
): NewIssued {
  const { draft, checked } = facts
  const { dns, ip, email, uri } = checked.subjectAltNames
  const { peer, address } = job.requester
  const by = [address, peer?.fingerprint].filter((each) => each !== undefined)
  return {
    serial: draft.serialNumber,
    profile: job.profile.name,
    clientHash: job.clientHash,
    publicKey: job.key.publicKeyFingerprint,
    // Whoever asks for a certificate of another kind, by the same request, is not to get this one.
    requestSha256: job.isRepeatable ? (job.request?.sha256 ?? null) : null,
    tbsSha256: facts.tbsSha256,
    subject:
      draft.subject.map(([type, value]) => `${type}=${value}`).join(', ') ||
      (dns[0] ?? ip[0] ?? email[0] ?? uri[0] ?? ''),
    notBefore: checked.notBefore.getTime(),
    notAfter: checked.notAfter.getTime(),
    renewedFrom: job.renewalOf?.serial ?? null,
    requestedBy: by.length === 0 ? null : by.join(' '),
    createdAt: facts.at,
  }
}

function busy(): AuthorityError {
  return new AuthorityError(
    'ERR_TLACACOCA_AUTHORITY_BUSY',
    'the same request is being signed right now; ask again in a moment to get the certificate',
  )
}

function serialTaken(serial: string): AuthorityError {
  const message = `the serial number ${serial} was used before; the generator must never make one twice`
  return new AuthorityError('ERR_TLACACOCA_AUTHORITY_SERIAL_INVALID', message, { reason: 'taken' })
}
