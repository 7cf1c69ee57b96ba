// Who belongs to whom in a PKCS#12 container: the keys to certificates, and the certificates to chains.
//
// A local key identifier is a mark that the writer has put on both; whether the two belong together is settled by a
// signature. Everything is found by tables and tried a bounded number of times, since whoever wrote the file decides how
// many certificates have one name, one mark or one key.

import type { KeyObject } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import type { Certificate } from './certificate.ts'
import { isIssuedBy, issuerKey, subjectKey } from './issuance.ts'
import { fits } from './pkcs12-private-key.ts'
import { publicHalf } from './private-key.ts'

/** A certificate in a PKCS#12 file whose private key is there too. */
export interface Pkcs12Entry {
  readonly certificate: Certificate
  /** The certificates above it that are in the file: its issuer first, the root last if it is there. */
  readonly chain: readonly Certificate[]
  readonly privateKey: KeyObject
  /** What whoever wrote the file called it; any text, of any length. Null if it has no name, and it may be empty. */
  readonly friendlyName: string | null
}

/** What a PKCS#12 file holds. */
export interface Pkcs12Contents {
  /** In the order of the keys. Two certificates for one key are two entries. */
  readonly entries: readonly Pkcs12Entry[]
  /** Those that belong to no key and are above no entry. */
  readonly otherCertificates: readonly Certificate[]
  /** Those whose certificate is not in the file. */
  readonly otherPrivateKeys: readonly KeyObject[]
}

export interface NamedCertificate {
  readonly certificate: Certificate
  readonly friendlyName: string | null
  readonly localKeyId: string | null
}

export interface NamedKey {
  readonly key: KeyObject
  readonly friendlyName: string | null
  readonly localKeyId: string | null
}

/** How many certificates are tried where one is to be found by its signature. */
const MAX_TRIES = 8
/** How many certificates stand above a leaf at most. */
const MAX_CHAIN = 10

/** Pairs keys and certificates, and finds what is above these. */
export async function pairUp(
  certificates: readonly NamedCertificate[],
  keys: readonly NamedKey[],
): Promise<Pkcs12Contents> {
  const distinct = withoutRepeated(certificates)
  const issuers = new IssuerTable(distinct.map(({ certificate }) => certificate))
  const byPublicKey = groupBy(distinct, ({ certificate }) => hex(certificate.subjectPublicKeyInfo))
  const byLocalKeyId = groupBy(distinct, ({ localKeyId }) => localKeyId)

  const entries: Pkcs12Entry[] = []
  const otherPrivateKeys: KeyObject[] = []
  const used = new Set<Certificate>()
  for (const key of keys) {
    // A signature of a large key takes some milliseconds.
    await setImmediate()
    const marked = key.localKeyId === null ? [] : (byLocalKeyId.get(key.localKeyId) ?? [])
    const owners = ownersOf(key, byPublicKey, marked).filter(({ certificate }) => !used.has(certificate))
    if (owners.length === 0) otherPrivateKeys.push(key.key)
    for (const { certificate, friendlyName } of owners) {
      used.add(certificate)
      entries.push({
        certificate,
        chain: issuers.chainOf(certificate),
        privateKey: key.key,
        friendlyName: friendlyName ?? key.friendlyName,
      })
    }
  }
  for (const { chain } of entries) for (const certificate of chain) used.add(certificate)
  const otherCertificates = distinct.map(({ certificate }) => certificate).filter((each) => !used.has(each))
  return { entries, otherCertificates, otherPrivateKeys }
}

function ownersOf(
  { key }: NamedKey,
  byPublicKey: ReadonlyMap<string, readonly NamedCertificate[]>,
  marked: readonly NamedCertificate[],
): readonly NamedCertificate[] {
  const same = byPublicKey.get(hex(publicHalf(key))) ?? []
  const [first] = same
  // They have one public key, so one signature speaks for all. It is made because a key file carries a public half of its
  // own, which need not fit the private one.
  if (first !== undefined && fits(key, first.certificate)) {
    const both = same.filter((each) => marked.includes(each))
    return both.length > 0 ? both : same
  }
  // One public key can be written in several ways, such as a point in compressed form.
  return marked.slice(0, MAX_TRIES).filter(({ certificate }) => fits(key, certificate))
}

/** Finds who issued whom among the certificates of a file. */
class IssuerTable {
  readonly #bySubject: ReadonlyMap<string, readonly Certificate[]>
  readonly #issuers = new Map<Certificate, Certificate | null>()

  constructor(certificates: readonly Certificate[]) {
    this.#bySubject = groupBy(certificates, (certificate) => readable(() => subjectKey(certificate)))
  }

  chainOf(leaf: Certificate): readonly Certificate[] {
    const chain: Certificate[] = []
    for (let issuer = this.#issuerOf(leaf); issuer !== null; issuer = this.#issuerOf(issuer)) {
      if (chain.length === MAX_CHAIN || issuer === leaf || chain.includes(issuer)) break
      chain.push(issuer)
    }
    return chain
  }

  #issuerOf(certificate: Certificate): Certificate | null {
    const known = this.#issuers.get(certificate)
    if (known !== undefined) return known
    const name = certificate.isSelfIssued ? null : readable(() => issuerKey(certificate))
    const candidates = (name === null ? undefined : this.#bySubject.get(name)) ?? []
    const found = candidates.slice(0, MAX_TRIES).find((each) => readable(() => isIssuedBy(certificate, each)) === true)
    this.#issuers.set(certificate, found ?? null)
    return found ?? null
  }
}

/** What cannot be read of a certificate finds it no issuer. */
function readable<T>(read: () => T): T | null {
  try {
    return read()
  } catch {
    return null
  }
}

/** Each certificate once, with the first name and mark that it has anywhere. */
function withoutRepeated(certificates: readonly NamedCertificate[]): readonly NamedCertificate[] {
  const distinct = new Map<string, NamedCertificate>()
  for (const each of certificates) {
    const { fingerprint } = each.certificate
    const earlier = distinct.get(fingerprint)
    distinct.set(fingerprint, {
      certificate: earlier?.certificate ?? each.certificate,
      friendlyName: earlier?.friendlyName ?? each.friendlyName,
      localKeyId: earlier?.localKeyId ?? each.localKeyId,
    })
  }
  return [...distinct.values()]
}

/** What has no key is in no group. */
function groupBy<T>(items: readonly T[], keyOf: (item: T) => string | null): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    if (key === null) continue
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
