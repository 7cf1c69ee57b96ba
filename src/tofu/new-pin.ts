// The pins that a certificate becomes, and what must follow from a mark.

import type { Certificate } from '../certificate/certificate.ts'
import type { Fingerprint } from '../certificate/fingerprint.ts'
import { isLive, type Pin, type PinState } from './pin.ts'
import { type PinnedMaterial, SEEN_INTERVAL_MS, type SeenMaterial } from './pin-store.ts'

/** What the store keeps of a certificate beside its pin. */
export function materialOf(certificate: Certificate): PinnedMaterial {
  return {
    digest: certificate.fingerprint,
    sha512: certificate.sha512Fingerprint,
    keyDigest: certificate.publicKeyFingerprint,
    publicKey: certificate.subjectPublicKeyInfo,
  }
}

/** The same for a visit to a server whose pin is of the certificate or of its key. */
export function seenMaterialOf(certificate: Certificate, pin: Pin): SeenMaterial {
  const notAfter = pin.digest.startsWith('spki-') ? null : certificate.notAfter
  return { ...materialOf(certificate), notAfter }
}

/** What a new pin says apart from the certificate. */
export interface NewPin {
  readonly subject: string
  readonly now: Date
  readonly state: PinState
  readonly source: string
  readonly note?: string | undefined
  /** All pins that the subject has: one that was replaced and comes back is known for as long as it was. */
  readonly among: readonly Pin[]
}

/**
 * A pin for a certificate that was just seen, or for a fingerprint that somebody gave. A certificate that somebody trusts
 * counts as seen, since nobody can tell where it came from and mostly a server showed it a moment ago; but like a visit, it
 * counts once a day.
 */
export function pinFor(what: Certificate | Fingerprint, facts: NewPin): Pin {
  const seen = typeof what !== 'string'
  const digest = seen ? what.fingerprint : what
  const former = facts.among.find((pin) => pin.digest === digest && pin.state !== 'announced')
  const daysBefore = former?.daysSeen ?? 0
  const sinceMs = former === undefined ? SEEN_INTERVAL_MS : Math.abs(facts.now.getTime() - former.lastSeen.getTime())
  const isNewDay = daysBefore === 0 || sinceMs >= SEEN_INTERVAL_MS
  return {
    subject: facts.subject,
    digest,
    state: facts.state,
    keyDigest: seen ? what.publicKeyFingerprint : (former?.keyDigest ?? null),
    notAfter: seen ? what.notAfter : (former?.notAfter ?? null),
    firstSeen: former?.firstSeen ?? facts.now,
    lastSeen: facts.now,
    daysSeen: seen && isNewDay ? daysBefore + 1 : daysBefore,
    source: facts.source,
    note: facts.note ?? former?.note ?? null,
  }
}

/** Whether a fingerprint is that of the pinned certificate or of its key. */
export function isNamedBy(pin: Pick<Pin, 'digest' | 'keyDigest'>, digest: Fingerprint): boolean {
  return pin.digest === digest || pin.keyDigest === digest
}

/**
 * What was announced and is void now. An announcement is the word of what was pinned when it came, and goes when none of
 * that is trusted any more: of somebody in the middle who was once taken for the server, nothing may be left that opens the
 * door to them again.
 *
 * @param isStillTrusted - Whether a live pin stays so, or is followed by one of the same key.
 */
export function voidAnnouncements(pins: readonly Pin[], isStillTrusted: (live: Pin) => boolean): Pin[] {
  if (pins.some((pin) => isLive(pin.state) && isStillTrusted(pin))) return []
  return pins.filter((pin) => pin.state === 'announced')
}

/**
 * The pins that must change with a new mark, so that the quick look-up, which sees one row only, can go on without
 * looking for marks: what the mark speaks against is retired. Where that cannot be told, because the mark is a SHA-512
 * and of the pin only the SHA-256 is known, the pin forgets its key, which sends the next visit the long way.
 *
 * @param sha512Of - The SHA-512 fingerprints that are known of pinned certificates, by their SHA-256.
 */
export function afterMark(
  pins: readonly Pin[],
  mark: Fingerprint,
  sha512Of: ReadonlyMap<Fingerprint, Fingerprint> = new Map(),
): Pin[] {
  return pins.flatMap((pin): Pin[] => {
    if (pin.digest === mark || !(isLive(pin.state) || pin.state === 'announced')) return []
    const sha512 = sha512Of.get(pin.digest)
    if (pin.keyDigest === mark || sha512 === mark) return [{ ...pin, state: 'replaced' }]
    const uncertain = mark.startsWith('sha512:') && sha512 === undefined && pin.keyDigest !== null
    return uncertain ? [{ ...pin, keyDigest: null }] : []
  })
}
