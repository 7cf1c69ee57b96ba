import { hash } from 'node:crypto'
import { type Fingerprint, parseFingerprint } from '../../src/certificate/fingerprint.ts'

/** The fingerprint of a key that there is none of. */
export function fingerprintOfKey(name: string): Fingerprint {
  return parseFingerprint(`spki-sha256:${hash('sha256', name, 'hex')}`, { of: 'public-key' })
}
