// From a heap of certificates and private keys to chains: which are leaves, what is above each, and whether anything is
// left over.
//
// OpenSSL takes a file as it is: the first certificate is the leaf, and the rest is sent along, whatever it is. Here
// every certificate and every key must have its place, and what has none is an error that names it.
//
// 1. A leaf is a certificate that is no authority and issued none of the others. Names alone do not make an issuer: the
//    signature must verify. Versions 1 and 2 cannot say that they are authorities, and count as none.
// 2. The exception for the small web: where there is no such leaf, a self-signed certificate that is marked as an
//    authority is one, if its key is here and it issued none of the others. That is what `openssl req -x509` makes.
//    What a server had before it took a new key counts as authority for its next certificate, and for nothing else.
// 3. Everything else must be above a leaf, and there is one way up only. The order in which the certificates came in
//    never matters to what comes out.

import type { KeyObject } from 'node:crypto'
import {
  ChainError,
  LeafCertificateHasNoPrivateKeyError,
  MoreThanOneLeafCertificateError,
  NoLeafCertificateError,
} from '../errors.ts'
import { show } from '../internal/arguments.ts'
import { Family } from './chain-family.ts'
import { type Keyed, ownersOf, type PlacedKey, requireKeysOfLeaves } from './chain-keys.ts'
import { describe, describeAll, factsAbout, type Member } from './chain-members.ts'
import type { Rules } from './chain-options.ts'
import { requireFitChain, requireOwnSignature } from './chain-rules.ts'
import { isRotation } from './rotation-name.ts'

/** A leaf with its key, and everything above it that is known: leaf first. */
export interface Assembled {
  readonly members: readonly [Member, ...Member[]]
  /** Whether the last one is a self-signed root, and not the leaf itself. */
  readonly rooted: boolean
  readonly key: KeyObject
}

/** What goes in. */
export interface Heap {
  readonly members: readonly Member[]
  readonly keys: readonly PlacedKey[]
}

/**
 * The one chain that a heap is.
 *
 * @throws {ChainError} For the first rule that is broken.
 */
export function assembleChain(heap: Heap, rules: Rules): Assembled {
  const family = new Family(heap.members, rules)
  // That leaves share a key is not what is wrong with a chain that has two.
  const keyed = ownersOf(heap.members, heap.keys, true)
  const leaf = onlyLeaf(family, keyed, rules)
  const chain = finish(family, leaf, keyed)
  requireNothingLeft(family, [chain])
  if (rules.strictOrder) requireOrder(heap.members, chain.members)
  requireFitChain(chain.members, chain.rooted, rules)
  return chain
}

/**
 * All chains that a heap holds, in the order of their leaves. They may share authorities.
 *
 * @param allowSharedKey - Whether several leaves may have the same key.
 * @throws {ChainError} For the first rule that is broken.
 */
export function assembleChains(heap: Heap, rules: Rules, allowSharedKey: boolean): Assembled[] {
  const family = new Family(heap.members, rules)
  const keyed = ownersOf(heap.members, heap.keys, allowSharedKey)
  const marked = rules.selfIssuedLeaf ? family.markedLeaves(keyed.keys()) : []
  const leaves = new Set([...family.plainLeaves(), ...marked])
  if (leaves.size === 0) throw noLeaf(family, rules)
  requireKeysOfLeaves(keyed, leaves)
  const chains = heap.members.filter((each) => leaves.has(each)).map((leaf) => finish(family, leaf, keyed))
  requireNothingLeft(family, chains)
  for (const { members, rooted } of chains) requireFitChain(members, rooted, rules)
  return chains
}

/** RFC 5280 has no limit; a path validator here stops at ten. */
const MAX_CHAIN = 10

function onlyLeaf(family: Family, keyed: Keyed, rules: Rules): Member {
  const plain = family.plainLeaves()
  // Without any key it is the key that is missing, and not the leaf.
  const candidates = keyed.size === 0 ? family.members : keyed.keys()
  const leaves = plain.length === 0 && rules.selfIssuedLeaf ? family.markedLeaves(candidates) : plain
  const [leaf, ...others] = leaves
  if (leaf === undefined) throw noLeaf(family, rules)
  if (others.length > 0) {
    throw new MoreThanOneLeafCertificateError(
      `there are ${leaves.length} leaves where one chain is wanted: ${describeAll(leaves)}; put each in a text of its own, or read them with CertificateSet`,
      factsAbout(...leaves),
    )
  }
  requireKeysOfLeaves(keyed, new Set([leaf]))
  return leaf
}

function noLeaf(family: Family, rules: Rules): NoLeafCertificateError {
  const { members } = family
  const marked = family.markedLeaves(members)
  const [first] = marked
  const hint =
    first === undefined || rules.selfIssuedLeaf
      ? 'add the certificate that the private key belongs to'
      : `${describe(first)} is self-signed and CA:TRUE, as "openssl req -x509" makes them; add -addext basicConstraints=critical,CA:FALSE there, or use the rules "smallweb"`
  return new NoLeafCertificateError(
    `there is no leaf: ${members.length === 1 ? 'the certificate is that' : 'all certificates are those'} of an authority; ${hint}`,
    factsAbout(...(marked.length > 0 ? marked : members)),
  )
}

function finish(family: Family, leaf: Member, keyed: Keyed): Assembled {
  const key = keyed.get(leaf)
  if (key === undefined) {
    throw new LeafCertificateHasNoPrivateKeyError(
      `${describe(leaf)} has no private key here${keyed.size === 0 ? '' : ', though others have'}; add it`,
      factsAbout(leaf),
    )
  }
  const members = wayUp(family, leaf)
  const [top = leaf, below] = members.toReversed()
  // What the server had before is there to be sent: clients know it as a server and not as a root.
  const isRoot = below !== undefined && family.isSelfSigned(top) && !isRotation(below.certificate)
  return { members, rooted: isRoot, key: key.key }
}

/** From a leaf to the last authority that is known. */
function wayUp(family: Family, leaf: Member): readonly [Member, ...Member[]] {
  const way: [Member, ...Member[]] = [leaf]
  let last = leaf
  while (true) {
    const [issuer, ...others] = family.issuersOf(last)
    if (issuer === undefined) {
      if (!family.isSelfSigned(last)) requireOwnSignature(last)
      return way
    }
    if (others.length > 0) {
      throw new ChainError(
        'ERR_TLACACOCA_CHAIN_EXTRANEOUS_CERTIFICATE',
        `${describe(last)} could have been issued by each of ${describeAll([issuer, ...others])}, and a chain has room for one; remove the others`,
        factsAbout(issuer, ...others),
      )
    }
    if (way.includes(issuer)) {
      throw new ChainError(
        'ERR_TLACACOCA_CHAIN_LOOP',
        `${describe(issuer)} is above itself: ${[...way.slice(way.indexOf(issuer)), issuer].map(describe).join(', issued by ')}; remove the certificate that closes the circle`,
        factsAbout(issuer),
      )
    }
    if (way.length === MAX_CHAIN) {
      throw new ChainError(
        'ERR_TLACACOCA_CHAIN_TOO_LONG',
        `the chain of ${describe(leaf)} has more than ${MAX_CHAIN} certificates, and nobody follows one so far; have it issued by an authority nearer to the root`,
        factsAbout(leaf),
      )
    }
    way.push(issuer)
    last = issuer
  }
}

function requireNothingLeft(family: Family, chains: readonly Assembled[]): void {
  const used = new Set(chains.flatMap(({ members }) => members))
  const left = family.members.filter((each) => !used.has(each))
  if (left.length === 0) return
  throw new ChainError(
    'ERR_TLACACOCA_CHAIN_EXTRANEOUS_CERTIFICATE',
    `${describeAll(left)}: no part of ${chains.length === 1 ? 'the chain' : 'any chain'}; remove ${left.length === 1 ? 'it' : 'them'}${gapHint(family, chains)}`,
    factsAbout(...left),
  )
}

/** A certificate that is left over may hang in the air because one below it is missing. */
function gapHint(family: Family, chains: readonly Assembled[]): string {
  const tops = chains.map(({ members }) => members.at(-1)).filter((top) => top !== undefined)
  const open = tops.find((top) => !family.isSelfSigned(top))
  if (open === undefined) return ''
  const issuer = show(String(open.certificate.issuer))
  return family.namesakesOfIssuer(open).length > 0
    ? ` (one has the name of the issuer of ${describe(open)}, ${issuer}, but not the key that signed it)`
    : `, or add the certificate of ${issuer}, which issued ${describe(open)}, if it is what is missing between them`
}

function requireOrder(given: readonly Member[], chain: readonly Member[]): void {
  const index = given.findIndex((each, position) => each !== chain[position])
  const [found, wanted] = [given[index], chain[index]]
  if (found === undefined || wanted === undefined) return
  throw new ChainError(
    'ERR_TLACACOCA_CHAIN_ORDER',
    `${describe(found)} stands where ${describe(wanted)} belongs; the order is leaf to root`,
    factsAbout(found),
  )
}
