// A new certificate for a client, by default as the small web likes it: P-256, nameless, valid for longer than anybody will
// need it, because at most sites whoever comes with another certificate is somebody else.

import type { KeyObject } from 'node:crypto'
import type { Certificate } from '../../certificate/certificate.ts'
import { generateSelfSignedCertificate } from '../../certificate/generate.ts'
import type { KeyKind } from '../../certificate/generate-options.ts'
import { loadPrivateKey } from '../../certificate/private-key.ts'
import {
  requireDate,
  requireInteger,
  requireOneOf,
  requireOptions,
  requireString,
  show,
} from '../../internal/arguments.ts'
import type { Clock } from '../../internal/clock.ts'

/** `ec-p256` is what everybody understands. Some older servers do not know the others. */
export type IdentityKeyType = 'ec-p256' | 'ec-p384' | 'ed25519' | 'rsa-2048' | 'rsa-3072'

/** How long a certificate is valid: some days from now, up to an instant, or to the end of time as X.509 counts it. */
export type IdentityValidity = { readonly days: number } | { readonly until: Date } | 'never_expires'

/** What goes into a new certificate. */
export interface CertificateWishes {
  readonly commonName: string
  readonly keyType: IdentityKeyType
  readonly validity: IdentityValidity
}

/** A certificate and its key. */
export interface NewCertificate {
  readonly certificate: Certificate
  readonly key: KeyObject
}

/** RFC 5280 section 4.1.2.5: the end of a certificate that has no well-defined one. */
export const NEVER = new Date(Date.UTC(9999, 11, 31, 23, 59, 59))

export const A_CENTURY: IdentityValidity = Object.freeze({ days: 36_500 })
/** Longer than anybody keeps a program running. */
export const A_MONTH: IdentityValidity = Object.freeze({ days: 30 })

export async function newCertificate(wishes: CertificateWishes, clock: Clock): Promise<NewCertificate> {
  const { commonName, keyType, validity } = wishes
  requireString('commonName', commonName)
  requireOneOf('keyType', keyType, KEY_TYPES)
  const dates = readValidity(validity)
  const key = KEY_KINDS[keyType]
  const made = await generateSelfSignedCertificate({ usage: 'client', commonName, key, ...dates, clock })
  return { certificate: made.certificate, key: await loadPrivateKey(made.privateKeyPem) }
}

/** The same as options of the functions that make certificates. */
export function readValidity(validity: IdentityValidity): { validDays: number } | { notAfter: Date } {
  if (validity === 'never_expires') return { notAfter: NEVER }
  if (typeof validity !== 'object' || validity === null) {
    throw new TypeError(`"validity" expected { days }, { until } or 'never_expires', got ${show(validity)}`)
  }
  if ('until' in validity) {
    requireOptions('validity', validity, ['until'])
    requireDate('validity.until', validity.until)
    return { notAfter: validity.until }
  }
  requireOptions('validity', validity, ['days'])
  requireInteger('validity.days', validity.days, 1, MAX_DAYS)
  return { validDays: validity.days }
}

const MAX_DAYS = 1_000_000

const KEY_KINDS: Readonly<Record<IdentityKeyType, KeyKind>> = {
  'ec-p256': 'P-256',
  'ec-p384': 'P-384',
  ed25519: 'Ed25519',
  'rsa-2048': 'RSA-2048',
  'rsa-3072': 'RSA-3072',
}

const KEY_TYPES = Object.keys(KEY_KINDS) as IdentityKeyType[]
