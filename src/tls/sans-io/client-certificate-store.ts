// Which chain a client shows to a server that asks for a certificate.

import { chainLeadsTo } from '../../certificate/chain-names.ts'
import type { KeyedChain } from '../../certificate/keyed-chain.ts'
import { NoCertificateChainError } from '../../errors.ts'
import { requireOptions, show } from '../../internal/arguments.ts'
import { askOnce, type ChainAnswer } from './answer.ts'
import { decodeDistinguishedName } from './certificate-request.ts'
import { chainsIn, requireChain } from './chain-arguments.ts'
import type { MaybePromise } from './maybe-promise.ts'

/** The name of an authority, as a server sends it: never a certificate, and nothing vouches for it. */
export interface CertificateAuthorityName {
  /** The distinguished name in DER. */
  readonly der: Uint8Array
  /** The name as text by RFC 4514; `#` and the DER in hex, if it is malformed. */
  toString(): string
}

/**
 * Where a client takes its certificate from. Extend it to choose by rules of your own; the two classes below are
 * ready-made.
 *
 * @example
 * import { createInterface } from 'node:readline/promises'
 * import type { KeyedChain } from 'tlacacoca/certificate'
 * import { type CertificateAuthorityName, ClientCertificateStore } from 'tlacacoca/tls'
 *
 * class AskFirst extends ClientCertificateStore {
 *   readonly #chain: KeyedChain
 *   readonly #terminal = createInterface(process.stdin, process.stdout)
 *
 *   constructor(chain: KeyedChain) {
 *     super()
 *     this.#chain = chain
 *   }
 *
 *   override async getCertificateChainForRoots(
 *     roots: readonly CertificateAuthorityName[],
 *     answer: (chain: KeyedChain | null) => void,
 *   ): Promise<void> {
 *     const reply = await this.#terminal.question(`Show a certificate of ${roots.join(' or ')}? `)
 *     answer(reply === 'yes' ? this.#chain : null)
 *   }
 *
 *   override getDefaultCertificateChain(answer: (chain: KeyedChain | null) => void): void {
 *     answer(null)
 *   }
 * }
 */
export abstract class ClientCertificateStore {
  /**
   * Is called by the library when a server asks for a certificate that comes from one of these authorities. It has to
   * call `answer` once, at any time; null goes on without a certificate.
   *
   * @param answer - Throws {@link NoCertificateChainError} at whoever answers with a chain that leads to none of the
   *   authorities, {@link InvalidatedError} if it is called again, and at anything but a `KeyedChain` or null.
   */
  abstract getCertificateChainForRoots(
    roots: readonly CertificateAuthorityName[],
    answer: ChainAnswer,
  ): void | Promise<void>

  /**
   * Is called by the library when a server asks for a certificate and names no authorities, as those of Gemini do. It
   * has to call `answer` once, at any time; null goes on without a certificate.
   */
  abstract getDefaultCertificateChain(answer: ChainAnswer): void | Promise<void>
}

/**
 * One chain. Servers that name authorities get it if it leads to one of them, all others in any case.
 *
 * @throws {TypeError} If it is no `KeyedChain`.
 */
export class SingleClientCertificate extends ClientCertificateStore {
  readonly #chain: KeyedChain

  constructor(chain: KeyedChain) {
    super()
    requireChain('chain', chain)
    this.#chain = chain
  }

  override getCertificateChainForRoots(roots: readonly CertificateAuthorityName[], answer: ChainAnswer): void {
    answer(leadsToOneOf(this.#chain, roots) ? this.#chain : null)
  }

  override getDefaultCertificateChain(answer: ChainAnswer): void {
    answer(this.#chain)
  }
}

/** What {@link IssuerClientCertificates} takes besides chains. */
export interface IssuerOptions {
  /** For servers that name no authorities. Without it, they get no certificate. */
  readonly default?: KeyedChain
}

/**
 * Several chains, chosen by the authorities that a server names: it gets the first chain that leads to one of them, or
 * none. Nobody learns of a certificate that was not asked for.
 *
 * @throws {TypeError} If an argument has the wrong type.
 * @example
 * import { KeyedChain } from 'tlacacoca/certificate'
 * import { IssuerClientCertificates } from 'tlacacoca/tls'
 * import { readFile } from 'node:fs/promises'
 *
 * const read = (name: string) => readFile(name, 'utf8')
 * const work = await KeyedChain.fromPem({ cert: await read('work.pem'), key: await read('work.key') })
 * const home = await KeyedChain.fromPem({ cert: await read('home.pem'), key: await read('home.key') })
 * const clientCertificates = new IssuerClientCertificates([work, home], { default: home })
 */
export class IssuerClientCertificates extends ClientCertificateStore {
  readonly #chains: readonly KeyedChain[]
  readonly #default: KeyedChain | null

  constructor(chains: Iterable<KeyedChain>, options: IssuerOptions = {}) {
    super()
    this.#chains = chainsIn('chains', chains)
    requireOptions('options', options, ['default'])
    if (options.default !== undefined) requireChain('default', options.default)
    this.#default = options.default ?? null
  }

  override getCertificateChainForRoots(roots: readonly CertificateAuthorityName[], answer: ChainAnswer): void {
    answer(this.#chains.find((chain) => leadsToOneOf(chain, roots)) ?? null)
  }

  override getDefaultCertificateChain(answer: ChainAnswer): void {
    answer(this.#default)
  }
}

/** @internal Anything that has the methods, since what it answers is checked in any case. */
export function requireClientCertificateStore(name: string, value: unknown): asserts value is ClientCertificateStore {
  const store = value as Partial<ClientCertificateStore> | null | undefined
  const methods = [store?.getCertificateChainForRoots, store?.getDefaultCertificateChain]
  if (methods.every((method) => typeof method === 'function')) return
  throw new TypeError(`"${name}" expected a ClientCertificateStore, got ${show(value)}`)
}

/**
 * @internal Asks for a server: by the names of authorities that it sent, in DER, or for the default chain if it sent none.
 * It throws or rejects as the implementation does, or as its answer is wrong.
 */
export function chainForAuthorities(
  store: ClientCertificateStore,
  authorities: readonly Uint8Array[],
): MaybePromise<KeyedChain | null> {
  if (authorities.length === 0) return askOnce((answer) => store.getDefaultCertificateChain(answer))
  return askOnce(
    (answer) => store.getCertificateChainForRoots(Object.freeze(authorities.map(authorityName)), answer),
    (chain) => {
      if (chainLeadsTo(chain, authorities)) return
      throw new NoCertificateChainError('the chain leads to none of the authorities that the server named', {
        subjects: [String(chain.leaf.subject)],
      })
    },
  )
}

/** In a copy, because whoever is asked may do with it what they like, and the answer is checked afterwards. */
function authorityName(der: Uint8Array): CertificateAuthorityName {
  return Object.freeze({
    der: new Uint8Array(der),
    toString() {
      try {
        return String(decodeDistinguishedName(der))
      } catch {
        return `#${Buffer.from(der).toString('hex')}`
      }
    },
  })
}

function leadsToOneOf(chain: KeyedChain, roots: readonly CertificateAuthorityName[]): boolean {
  return chainLeadsTo(
    chain,
    roots.map(({ der }) => der),
  )
}
