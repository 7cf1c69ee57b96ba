// Which private key belongs to which certificate, by what it signs.

import type { KeyObject } from 'node:crypto'
import { ChainError, ExtraneousPrivateKeyError } from '../errors.ts'
import { describe, describeAll, factsAbout, type Member } from './chain-members.ts'
import { matchesCertificate, publicHalf } from './private-key.ts'
import { type Place, placeText } from './strict-pem.ts'

/** A private key, and where it was found; null if it was handed in as it is. */
export interface PlacedKey {
  readonly key: KeyObject
  readonly place: Place | null
}

/** The certificates that have a key here. */
export type Keyed = ReadonlyMap<Member, PlacedKey>

/**
 * Finds the owners of all keys.
 *
 * @param allowSharedKey - Whether a key may have several.
 * @throws {ExtraneousPrivateKeyError} For a key that belongs to no certificate, or is there twice.
 * @throws {ChainError} CHAIN_DUPLICATE_KEY for a key with several owners.
 */
export function ownersOf(members: readonly Member[], keys: readonly PlacedKey[], allowSharedKey: boolean): Keyed {
  const byPublicKey = new Map<string, Member[]>()
  for (const member of members) {
    const spki = base64(member.certificate.subjectPublicKeyInfo)
    byPublicKey.set(spki, [...(byPublicKey.get(spki) ?? []), member])
  }
  const keyed = new Map<Member, PlacedKey>()
  for (const key of keys) {
    // One key can be written in several ways, so what the bytes do not find is tried.
    const candidates = byPublicKey.get(base64(publicHalf(key.key))) ?? members
    const owners = candidates.filter(({ certificate }) => matchesCertificate(key.key, certificate))
    requireOneOwner(key, owners, members, keyed, allowSharedKey)
    for (const owner of owners) keyed.set(owner, key)
  }
  return keyed
}

function requireOneOwner(
  key: PlacedKey,
  owners: readonly Member[],
  members: readonly Member[],
  keyed: Keyed,
  allowSharedKey: boolean,
): void {
  const [owner] = owners
  if (owner === undefined) {
    throw new ExtraneousPrivateKeyError(
      `the private key${at(key)} belongs to none of the certificates, which are ${describeAll(members)}; take it away, or add its certificate`,
      lineOf(key),
    )
  }
  const earlier = keyed.get(owner)
  if (earlier !== undefined) {
    throw new ExtraneousPrivateKeyError(
      `the private key of ${describe(owner)} is there twice${at(earlier)}${at(key, ' and')}; remove one`,
      { ...factsAbout(owner), ...lineOf(key) },
    )
  }
  if (owners.length > 1 && !allowSharedKey) {
    throw new ChainError(
      'ERR_TLACACOCA_CHAIN_DUPLICATE_KEY',
      `one private key${at(key)} belongs to ${describeAll(owners)}; whoever gets it from one has the others too, so make one for each, or set "allowSharedKey"`,
      factsAbout(...owners),
    )
  }
}

/**
 * Only leaves may have their keys here.
 *
 * @throws {ExtraneousPrivateKeyError} For the key of anything else.
 */
export function requireKeysOfLeaves(keyed: Keyed, leaves: ReadonlySet<Member>): void {
  for (const [owner, key] of keyed) {
    if (leaves.has(owner)) continue
    throw new ExtraneousPrivateKeyError(
      `the private key${at(key)} is that of ${describe(owner)}, which is no leaf; only the key of a leaf belongs here, so take it away`,
      { ...factsAbout(owner), ...lineOf(key) },
    )
  }
}

function at({ place }: PlacedKey, before = ''): string {
  return place === null ? '' : `${before} at ${placeText(place)}`
}

function lineOf({ place }: PlacedKey): { line?: number } {
  return place === null ? {} : { line: place.line }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
