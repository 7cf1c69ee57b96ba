// Which chain a server shows to a client. The question is asked when the client has said hello and before OpenSSL hears
// of it, so the answer may depend on all that the hello offers, may take its time, and may be that there is none.

import { CertificateSet } from '../../certificate/certificate-set.ts'
import type { KeyedChain } from '../../certificate/keyed-chain.ts'
import type { TLSVersion } from '../../certificate/peer.ts'
import { ContextError } from '../../errors.ts'
import { requireOneOf, requireOptions, show } from '../../internal/arguments.ts'
import { NameTable, patternsOf } from '../certificate-set.ts'
import type { ClientHelloInfo } from '../client-hello.ts'
import { askOnce, type ChainAnswer } from './answer.ts'
import { chainsIn, requireChain } from './chain-arguments.ts'
import { misfitOfServerKey, type Offer, requireSigningKey } from './key-fit.ts'
import type { MaybePromise } from './maybe-promise.ts'
import type { SigningKey } from './signature-schemes.ts'

/**
 * Where a server takes its chains from. Extend it to choose by rules of your own; the two classes below are ready-made.
 *
 * @example
 * import { KeyedChain } from 'tlacacoca/certificate'
 * import { ServerCertificates } from 'tlacacoca/tls'
 *
 * class FromFolder extends ServerCertificates {
 *   override async getCertificateChainForServerName(
 *     serverName: string | null,
 *     answer: (chain: KeyedChain | null) => void,
 *   ): Promise<void> {
 *     // The name is in canonical form, so there is no slash in it.
 *     const path = `certificates/${serverName ?? 'default'}`
 *     answer(await KeyedChain.fromFiles({ certFile: `${path}.pem`, keyFile: `${path}.key` }))
 *   }
 * }
 */
export abstract class ServerCertificates {
  /**
   * Is called by the library, once for each client, and has to call `answer` once, at any time. Null makes the client
   * get the alert `unrecognized_name`. A chain that is made for other names is fine.
   *
   * @param serverName - The host that the client asks for, in canonical form; null if it asks for none, or for an IP
   *   address, which counts as none (RFC 6066 section 3).
   * @param answer - Throws {@link InvalidatedError} if it is called again, and at whoever answers with anything but a
   *   `KeyedChain` or null.
   * @param hello - What the client offers.
   */
  abstract getCertificateChainForServerName(
    serverName: string | null,
    answer: ChainAnswer,
    hello: ClientHelloInfo,
  ): void | Promise<void>
}

/**
 * One chain for all clients, whatever they ask for.
 *
 * @throws {TypeError} If it is no `KeyedChain`.
 * @throws {ContextError} If TLS has no place for a key of its kind, or it is too weak for a server.
 */
export class ServerCertificateChain extends ServerCertificates {
  readonly #chain: KeyedChain

  constructor(chain: KeyedChain) {
    super()
    requireChain('chain', chain)
    requireSigningKey(chain.leaf, 'server')
    this.#chain = chain
  }

  override getCertificateChainForServerName(_serverName: string | null, answer: ChainAnswer): void {
    answer(this.#chain)
  }
}

/** What {@link SNIServerCertificates} takes besides chains. */
export interface SNIOptions {
  /** For clients that ask for no host. Without it: the first chain. Its own names are known, too. */
  readonly default?: KeyedChain
  /** Clients that ask for a host that no chain is for get the default chain (`default`), or an alert. */
  readonly onUnknownName?: 'default' | 'alert'
}

/**
 * Several chains, chosen by the host that a client asks for. It is looked for among the DNS names of the leaves
 * (subjectAltName; never the common name, RFC 9525): first the very name, then a wildcard in place of its first label.
 * Among chains for one name, one whose key the client can check is taken, and of those the one that is valid longest. So
 * there may be an EC chain and an RSA chain for the same host.
 *
 * @throws {TypeError} If an argument has the wrong type.
 * @throws {ContextError} If there is no chain, or one that no client could ever get: it names no host, or for each of
 *   its names there is another with a key of the same kind that is valid longer, or TLS has no place for its key.
 * @example
 * import { CertificateSet } from 'tlacacoca/certificate'
 * import { SNIServerCertificates } from 'tlacacoca/tls'
 * import { readFile } from 'node:fs/promises'
 *
 * const set = await CertificateSet.fromPem(await readFile('all-hosts.pem', 'utf8'))
 * const certificates = new SNIServerCertificates(set, { onUnknownName: 'alert' })
 */
export class SNIServerCertificates extends ServerCertificates {
  readonly #names: NameTable<readonly Candidate[]>
  readonly #default: KeyedChain
  readonly #onUnknownName: 'default' | 'alert'

  constructor(chains: Iterable<KeyedChain> | CertificateSet, options: SNIOptions = {}) {
    super()
    const list = chainsIn('chains', chains instanceof CertificateSet ? chains.chains : chains)
    requireOptions('options', options, ['default', 'onUnknownName'])
    const { default: fallback, onUnknownName = 'default' } = options
    if (fallback !== undefined) requireChain('default', fallback)
    requireOneOf('onUnknownName', onUnknownName, ['default', 'alert'])

    const [first] = list
    if (first === undefined) throw new ContextError('"chains" is empty: a server needs at least one')
    this.#default = fallback ?? first
    this.#onUnknownName = onUnknownName
    const candidates = [...new Set([...list, this.#default])].map(candidateOf)
    const byPattern = groupByPattern(candidates)
    requireReachable(candidates, byPattern, this.#default)
    this.#names = new NameTable()
    for (const [pattern, group] of byPattern) this.#names.add(pattern, group)
  }

  override getCertificateChainForServerName(
    serverName: string | null,
    answer: ChainAnswer,
    hello: ClientHelloInfo,
  ): void {
    answer(serverName === null ? this.#default : this.#choose(serverName, hello))
  }

  #choose(host: string, hello: ClientHelloInfo): KeyedChain | null {
    const groups = this.#names.findAll(host)
    for (const group of groups) {
      const best = bestFor(hello, group)
      if (best !== null) return best.chain
    }
    // The name is right and the key is not: the handshake fails, by an alert that says so.
    const known = groups[0]?.[0]?.chain
    return known ?? (this.#onUnknownName === 'alert' ? null : this.#default)
  }
}

/** @internal Anything that has the method, since what it answers is checked in any case. */
export function requireServerCertificates(name: string, value: unknown): asserts value is ServerCertificates {
  const method = 'getCertificateChainForServerName'
  if (typeof value === 'object' && value !== null && method in value && typeof value[method] === 'function') return
  throw new TypeError(`"${name}" expected ServerCertificates, got ${show(value)}`)
}

/** @internal Asks for a client. It throws or rejects as the implementation does, or as its answer is wrong. */
export function chainForServerName(
  certificates: ServerCertificates,
  serverName: string | null,
  hello: ClientHelloInfo,
): MaybePromise<KeyedChain | null> {
  return askOnce((answer) => certificates.getCertificateChainForServerName(serverName, answer, hello))
}

interface Candidate {
  readonly chain: KeyedChain
  readonly key: SigningKey
  /** Canonical host names, perhaps with a leading `*.`. */
  readonly patterns: readonly string[]
  readonly notAfter: number
}

function candidateOf(chain: KeyedChain): Candidate {
  const { leaf } = chain
  return {
    chain,
    key: requireSigningKey(leaf, 'server'),
    patterns: patternsOf(leaf),
    notAfter: leaf.notAfter.getTime(),
  }
}

/** Those for each pattern, the one that is valid longest first, and of equals the one that was given first. */
function groupByPattern(candidates: readonly Candidate[]): Map<string, readonly Candidate[]> {
  const groups = new Map<string, Candidate[]>()
  for (const candidate of candidates.toSorted((one, other) => other.notAfter - one.notAfter)) {
    for (const pattern of candidate.patterns) {
      const group = groups.get(pattern)
      if (group === undefined) groups.set(pattern, [candidate])
      else group.push(candidate)
    }
  }
  return groups
}

function requireReachable(
  candidates: readonly Candidate[],
  byPattern: ReadonlyMap<string, readonly Candidate[]>,
  fallback: KeyedChain,
): void {
  const isFirstOfItsKind = (candidate: Candidate, pattern: string): boolean =>
    byPattern.get(pattern)?.find(({ key }) => key === candidate.key) === candidate
  for (const candidate of candidates) {
    const { chain, patterns } = candidate
    if (chain === fallback || patterns.some((pattern) => isFirstOfItsKind(candidate, pattern))) continue
    const why =
      patterns.length === 0
        ? 'it names no host'
        : 'for each of its names there is one with a key of the same kind that is valid as long or longer'
    throw new ContextError(`${chain.leaf.subject}: no client could ever get this certificate, because ${why}`)
  }
}

/** The one that a client can check in most versions it offers, the newest above all; null if it can check none. */
function bestFor(hello: ClientHelloInfo, candidates: readonly Candidate[]): Candidate | null {
  const offer: Offer = {
    // A client that names no schemes or groups has said nothing about them. It cannot leave out the suites.
    signatureSchemes: hello.signatureSchemes.length > 0 ? hello.signatureSchemes : null,
    groups: hello.groups.length > 0 ? hello.groups : null,
    cipherSuites: hello.cipherSuites,
  }
  const weights = VERSIONS.filter(({ code }) => hello.versions.includes(code))
  const fitOf = ({ key }: Candidate): number =>
    weights.reduce(
      (sum, { version, weight }) => sum + (misfitOfServerKey(key, version, offer) === null ? weight : 0),
      0,
    )
  let best: Candidate | null = null
  let bestFit = 0
  for (const candidate of candidates) {
    const fit = fitOf(candidate)
    if (fit <= bestFit) continue
    best = candidate
    bestFit = fit
  }
  return best
}

// A server that has the newest version offered uses it (RFC 8446 section 4.2.1), and then only that one counts.
const VERSIONS: readonly { readonly code: number; readonly version: TLSVersion; readonly weight: number }[] = [
  { code: 0x0304, version: 'TLSv1.3', weight: 2 },
  { code: 0x0303, version: 'TLSv1.2', weight: 1 },
]
