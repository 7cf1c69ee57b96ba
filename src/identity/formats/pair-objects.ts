// Which key belongs to which certificate, among those that were found together, and what is left over.

import { createHash, type KeyObject } from 'node:crypto'
import type { Certificate } from '../../certificate/certificate.ts'
import { type Pkcs12Entry, pairUp } from '../../certificate/pkcs12-entries.ts'
import { exportPkcs8 } from '../../certificate/private-key.ts'
import type { ImportContext } from './import-context.ts'
import type { ImportPlace } from './imported-identity.ts'
import type { IdentityObjects } from './pem-objects.ts'

/** A certificate with its key, and where it was found. */
export interface FoundIdentity {
  readonly entry: Pkcs12Entry
  readonly place: ImportPlace
}

/** Pairs what was found, and reports what belongs to nothing. */
export async function pairObjects(objects: IdentityObjects, context: ImportContext): Promise<FoundIdentity[]> {
  const places = new Map<unknown, ImportPlace>()
  for (const { value, place } of objects.certificates) {
    if (!places.has(value.fingerprint)) places.set(value.fingerprint, place)
  }
  for (const { value, place } of objects.keys) places.set(value, place)

  const { entries, otherCertificates, otherPrivateKeys } = await pairUp(
    objects.certificates.map(({ value }) => ({ certificate: value, friendlyName: null, localKeyId: null })),
    distinctKeys(objects.keys.map(({ value }) => value)).map((key) => ({ key, friendlyName: null, localKeyId: null })),
  )
  reportLeftovers(
    { certificates: otherCertificates, keys: otherPrivateKeys, hasClosedKey: objects.hasClosedKey },
    (it) => places.get('fingerprint' in it ? it.fingerprint : it) ?? {},
    context,
  )
  return entries.map((entry) => ({ entry, place: places.get(entry.certificate.fingerprint) ?? {} }))
}

/** What is left when all pairs have been found. */
export interface Leftovers {
  readonly certificates: readonly Certificate[]
  readonly keys: readonly KeyObject[]
  /** Whether a key was there and did not open, which has been reported. */
  readonly hasClosedKey: boolean
}

export function reportLeftovers(
  { certificates, keys, hasClosedKey }: Leftovers,
  placeOf: (it: Certificate | KeyObject) => ImportPlace,
  context: ImportContext,
): void {
  const [certificate] = certificates
  const [key] = keys
  // A pair that is none: one thing is wrong, and it is said once.
  if (certificate !== undefined && key !== undefined && certificates.length === 1 && keys.length === 1) {
    const what = `the private key belongs to another certificate than ${certificate.fingerprint}`
    context.report('ERR_TLACACOCA_KEY_MISMATCH', placeOf(key), what)
    return
  }
  for (const each of keys) {
    if (certificates.length > 0) {
      context.report('ERR_TLACACOCA_KEY_MISMATCH', placeOf(each), 'the private key belongs to none of the certificates')
    } else {
      const what = 'the certificate of this private key is missing'
      context.report('ERR_TLACACOCA_IDENTITY_CERTIFICATE_MISSING', placeOf(each), what)
    }
  }
  for (const each of certificates) {
    const why = hasClosedKey ? 'is not among those that could be opened' : 'is missing'
    const what = `the private key of the certificate ${each.fingerprint} ${why}`
    context.report('ERR_TLACACOCA_IDENTITY_KEY_MISSING', placeOf(each), what)
  }
}

/** Somebody may have pasted a key twice, which would otherwise be a second key without a certificate. */
function distinctKeys(keys: readonly KeyObject[]): KeyObject[] {
  const digest = (key: KeyObject): string => createHash('sha256').update(exportPkcs8(key)).digest('base64')
  return [...new Map(keys.map((key) => [digest(key), key])).values()]
}
