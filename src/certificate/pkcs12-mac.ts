// The MAC over a PKCS#12 container. It tells a right passphrase from a wrong one, and an untouched file from a changed one;
// the two questions have one answer, so nobody can tell damage from a wrong passphrase once the structure is sound.
//
// A file without one is refused. Its contents could be anybody's: encryption in CBC mode protects nothing from changes, and
// a part that is not encrypted could be added to it.

import { createHmac, timingSafeEqual } from 'node:crypto'
import { Pkcs12Error } from '../errors.ts'
import { TAG } from './der.ts'
import { element, integer } from './der-writer.ts'
import { type BerNode, malformed, unsupported } from './pkcs12-ber.ts'
import { algorithm, readAlgorithm, readIterations, readPbkdf2, readSalt } from './pkcs12-encryption.ts'
import { derivePkcs12, type Pkcs12Secret, PURPOSE, type RoundAccount } from './pkcs12-keys.ts'
import { HASHES, nameOf, type Pkcs12Hash, SCHEME } from './pkcs12-oids.ts'
import { HMACS } from './private-key-encryption.ts'

/** A MAC that has been read and charged. */
export interface Mac {
  /** The reading of the passphrase under which it is the MAC of the data; null if it is that under none. */
  verify(data: Uint8Array): Promise<Pkcs12Secret | null>
}

/**
 * Reads a MacData (RFC 7292 section 4), or PBMAC1 in its place (RFC 9579).
 *
 * @param secrets - The readings of the passphrase, which are tried in their order.
 * @throws {Pkcs12Error} PKCS12_NO_MAC if there is none; PKCS12_UNSUPPORTED, PKCS12_EXCESSIVE or PKCS12_MALFORMED.
 */
export function readMac(
  macData: BerNode | undefined,
  account: RoundAccount,
  secrets: readonly [Pkcs12Secret, ...Pkcs12Secret[]],
): Mac {
  if (macData === undefined) {
    throw new Pkcs12Error(
      'ERR_TLACACOCA_PKCS12_NO_MAC',
      'the PKCS#12 file has no MAC, so anybody could have changed it; write it anew, with one',
    )
  }
  const inside = macData.children(TAG.sequence, 'the MAC')
  const digestInfo = inside.read('the MAC').children(TAG.sequence, 'the MAC')
  const digestAlgorithm = digestInfo.read('the algorithm of the MAC')
  const digest = digestInfo.read('the MAC').octets('the MAC')
  digestInfo.finish('the MAC')
  const { oid, parameters } = readAlgorithm(digestAlgorithm, 'the algorithm of the MAC')
  // What stands beside PBMAC1 means nothing and is there for old readers (RFC 9579 section 4).
  if (oid === SCHEME.pbmac1) return readPbmac1(parameters.read('the parameters of PBMAC1'), digest, account, secrets[0])

  const hash = HASHES[oid]
  if (hash === undefined) throw unsupported(`its MAC is made with ${nameOf(oid)}`)
  if (digest.length !== hash.outputBytes) throw malformed('the MAC has a wrong length')
  const salt = readSalt(inside)
  const iterations = inside.done ? 1 : readIterations(inside.read('the iterations'))
  inside.finish('the MAC')
  account.charge(iterations, secrets.length, 'the MAC')
  return {
    async verify(data) {
      for (const secret of secrets) {
        if (timingSafeEqual(digest, await macOf(data, secret, hash, { salt, iterations }))) return secret
      }
      return null
    },
  }
}

/** RFC 8018 appendix A.5: the key by PBKDF2, which reads a passphrase in one way only, and the code by HMAC. */
function readPbmac1(node: BerNode, digest: Uint8Array, account: RoundAccount, secret: Pkcs12Secret): Mac {
  const inside = node.children(TAG.sequence, 'the parameters of PBMAC1')
  const derivation = inside.read('the key derivation')
  const scheme = readAlgorithm(inside.read('the algorithm of PBMAC1'), 'the algorithm of PBMAC1').oid
  inside.finish('the parameters of PBMAC1')
  const hmac = HMACS[scheme]
  if (hmac === undefined) throw unsupported(`its MAC is PBMAC1 with ${nameOf(scheme)}`)
  const pbkdf2 = readPbkdf2(derivation, null, account, 'the MAC')
  // RFC 9579 section 5: no shorter than 20 octets. No longer one adds anything.
  if (pbkdf2.keyBytes < 20 || pbkdf2.keyBytes > 64) throw malformed('the key of the MAC has a wrong length')
  return {
    async verify(data) {
      const expected = createHmac(hmac, await pbkdf2.derive(secret))
        .update(data)
        .digest()
      if (digest.length !== expected.length) throw malformed('the MAC has a wrong length')
      return timingSafeEqual(digest, expected) ? secret : null
    },
  }
}

/** A MacData for the data. */
export async function writeMac(
  data: Uint8Array,
  secret: Pkcs12Secret,
  { hash, hashOid, salt, iterations }: MacOptions,
): Promise<Uint8Array> {
  const digest = await macOf(data, secret, hash, { salt, iterations })
  return element(
    TAG.sequence,
    element(TAG.sequence, algorithm(hashOid, element(TAG.null)), element(TAG.octetString, digest)),
    element(TAG.octetString, salt),
    integer(iterations),
  )
}

export interface MacOptions {
  readonly hash: Pkcs12Hash
  readonly hashOid: string
  readonly salt: Uint8Array
  readonly iterations: number
}

async function macOf(
  data: Uint8Array,
  secret: Pkcs12Secret,
  hash: Pkcs12Hash,
  cost: { readonly salt: Uint8Array; readonly iterations: number },
): Promise<Buffer> {
  const key = await derivePkcs12(hash, PURPOSE.mac, secret, cost, hash.outputBytes)
  return createHmac(hash.name, key).update(data).digest()
}
