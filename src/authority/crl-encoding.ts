// The parts of a revocation list (RFC 5280 sections 5.1 to 5.3) in DER.

import type * as Asn1 from '@peculiar/asn1-schema'
import type * as X509 from '@peculiar/asn1-x509'
import type { Certificate } from '../certificate/certificate.ts'
import { encodeExtension } from '../certificate/certificate-builder.ts'
import { TAG } from '../certificate/der.ts'
import { element } from '../certificate/der-writer.ts'
import { ExtensionMaker } from '../certificate/extension-maker.ts'
import type { RevocationReason } from '../certificate/revocation-checker.ts'

/** A certificate that is not to be relied on. Instants are milliseconds since the epoch. */
export interface CrlEntry {
  /** In lower-case hex, whole octets, without a sign octet. */
  readonly serial: string
  /** When it was revoked, or put on hold. */
  readonly at: number
  /** Why. */
  readonly reason: RevocationReason | 'certificate_hold'
  /** Since when the key is, or may be, in other hands; null if nobody has said so. */
  readonly invalidityDate: number | null
}

/** Loads the schemas, which takes some tens of milliseconds the first time. */
export async function loadCrlEncoder(): Promise<CrlEncoder> {
  return CrlEncoder.load()
}

/** The schemas, loaded, and what is made with them. */
class CrlEncoder {
  readonly #convert: typeof Asn1.AsnConvert
  readonly #maker: ExtensionMaker
  readonly #x509: typeof X509
  /** What entries have in common: their reasons. */
  readonly #reasons = new Map<CrlEntry['reason'], Uint8Array | null>()

  private constructor(asn1: typeof Asn1, x509: typeof X509, maker: ExtensionMaker) {
    this.#convert = asn1.AsnConvert
    this.#maker = maker
    this.#x509 = x509
  }

  static async load(): Promise<CrlEncoder> {
    const packages = [import('@peculiar/asn1-schema'), import('@peculiar/asn1-x509'), ExtensionMaker.load()] as const
    return new CrlEncoder(...(await Promise.all(packages)))
  }

  /** A Time: UTCTime up to 2049 and GeneralizedTime from then on (section 5.1.2.4). */
  time(at: number): Uint8Array {
    return this.#encode(new this.#x509.Time(new Date(wholeSeconds(at))))
  }

  /** The entries, in the same order. A list can have many, so other work may run in between. */
  async entries(entries: readonly CrlEntry[]): Promise<Uint8Array[]> {
    const encoded: Uint8Array[] = []
    for (const entry of entries) {
      if (encoded.length > 0 && encoded.length % ENTRIES_AT_ONCE === 0)
        await new Promise((resolve) => setImmediate(resolve))
      encoded.push(this.#entry(entry))
    }
    return encoded
  }

  /** The extensions of the list: whose key signs it, and its number. Neither is critical (sections 5.2.1 and 5.2.3). */
  extensions(issuer: Certificate, number: bigint): Uint8Array {
    return element(
      TAG.sequence,
      encodeExtension(this.#maker.authorityKeyIdentifier(issuer)),
      extension(this.#x509.id_ce_cRLNumber, element(TAG.integer, octetsOf(number.toString(16)))),
    )
  }

  #entry({ serial, at, reason, invalidityDate }: CrlEntry): Uint8Array {
    const extensions = [
      this.#reason(reason),
      invalidityDate === null ? null : this.#invalidityDate(invalidityDate),
    ].filter((each) => each !== null)
    return element(
      TAG.sequence,
      element(TAG.integer, octetsOf(serial)),
      this.time(at),
      ...(extensions.length === 0 ? [] : [element(TAG.sequence, ...extensions)]),
    )
  }

  /** Section 5.3.1: the reason is left out rather than said to be unspecified. */
  #reason(reason: CrlEntry['reason']): Uint8Array | null {
    const known = this.#reasons.get(reason)
    if (known !== undefined) return known
    const { CRLReason, id_ce_cRLReasons } = this.#x509
    const encoded =
      reason === 'unspecified' ? null : extension(id_ce_cRLReasons, this.#encode(new CRLReason(REASONS[reason])))
    this.#reasons.set(reason, encoded)
    return encoded
  }

  #invalidityDate(at: number): Uint8Array {
    const { InvalidityDate, id_ce_invalidityDate } = this.#x509
    return extension(id_ce_invalidityDate, this.#encode(new InvalidityDate(new Date(wholeSeconds(at)))))
  }

  #encode(value: object): Uint8Array {
    return new Uint8Array(this.#convert.serialize(value))
  }
}

/** Times in a list have no fractions (RFC 5280 section 5.1.2.4). Cut off and not rounded: a list is never from the future. */
export function wholeSeconds(at: number): number {
  return Math.floor(at / 1000) * 1000
}

/** Entries that are encoded in one go, which takes some ten milliseconds. */
const ENTRIES_AT_ONCE = 1_000

// Section 5.3.1.
const REASONS: Readonly<Record<CrlEntry['reason'], number>> = {
  unspecified: 0,
  key_compromise: 1,
  affiliation_changed: 3,
  superseded: 4,
  cessation_of_operation: 5,
  certificate_hold: 6,
  privilege_withdrawn: 9,
}

/** A positive number in hex as the content of an INTEGER, whose first bit is the sign. */
function octetsOf(hex: string): Uint8Array {
  const octets = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  return (octets[0] ?? 0) >= 0x80 ? Buffer.concat([Uint8Array.of(0), octets]) : octets
}

function extension(oid: string, value: Uint8Array): Uint8Array {
  return encodeExtension({ oid, critical: false, value })
}
