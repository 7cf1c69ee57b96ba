// Which private key belongs to which certificate, by what it signs.

/** A private key, and where it was found; null if it was handed in as it is. */
export interface PlacedKey {
  readonly key: KeyObject
  readonly place: Place | null
}

/** What goes in. */
export interface Heap {
  readonly members: readonly Member[]
  readonly keys: readonly PlacedKey[]
}

/** Which certificates each key belongs to. */
type Owners = ReadonlyMap<PlacedKey, readonly Member[]>

function ownersOf({ members, keys }: Heap, allowSharedKey: boolean): Owners {
  const byPublicKey = new Map<string, Member[]>()
  for (const member of members) {
    const spki = Buffer.from(member.certificate.subjectPublicKeyInfo).toString('base64')
    byPublicKey.set(spki, [...(byPublicKey.get(spki) ?? []), member])
  }
  const owners = new Map<PlacedKey, readonly Member[]>()
  const first = new Map<Member, PlacedKey>()
  for (const key of keys) {
    // One key can be written in several ways, so what the bytes do not find is tried.
    const candidates = byPublicKey.get(Buffer.from(publicHalf(key.key)).toString('base64')) ?? members
    const owned = candidates.filter(({ certificate }) => matchesCertificate(key.key, certificate))
    const [owner] = owned
    if (owner === undefined) {
      throw new ExtraneousPrivateKeyError(
        `the private key${at(key)} belongs to none of the certificates (${members.map(describe).join(', ')})`,
        lineOf(key),
      )
    }
    const earlier = first.get(owner)
    if (earlier !== undefined) {
      throw new ExtraneousPrivateKeyError(
        `the private key of ${describe(owner)} is there twice${at(earlier)}${at(key, ' and')}; remove one`,
        { ...lineOf(key), subjects: factsAbout(owner).subjects },
      )
    }
    for (const each of owned) first.set(each, key)
    if (owned.length > 1 && !allowSharedKey) {
      throw new ChainError(
        'ERR_TLACACOCA_CHAIN_DUPLICATE_KEY',
        `one private key${at(key)} belongs to ${owned.map(describe).join(' and ')}; whoever gets it from one has the others too, so make one for each, or set "allowSharedKey"`,
        factsAbout(...owned),
      )
    }
    owners.set(key, owned)
  }
  return owners
}

function keyedBy(owners: Owners): Set<Member> {
  return new Set([...owners.values()].flat())
}

function at({ place }: PlacedKey, before = ''): string {
  return place === null ? '' : `${before} at ${placeText(place)}`
}

function lineOf({ place }: PlacedKey): { line?: number } {
  return place === null ? {} : { line: place.line }
}

function requireKeysOfLeaves(owners: Owners, leaves: readonly Member[]): void {
  for (const [key, owned] of owners) {
    const other = owned.find((each) => !leaves.includes(each))
    if (other === undefined) continue
    throw new ExtraneousPrivateKeyError(
      `the private key${at(key)} is that of ${describe(other)}, which is no leaf; only the key of a leaf belongs here, so take it away`,
      { ...lineOf(key), subjects: factsAbout(other).subjects },
    )
  }
}

