// Contexts for OpenSSL, each made of settings and one chain.
//
// `createSecureContext` takes almost anything, and what is wrong shows when a peer connects, as an alert that says
// little. So it is asked here first whether a handshake could come of the chain in each version that is enabled.

import { createSecureContext, type SecureContext } from 'node:tls'
import type { Certificate } from '../../certificate/certificate.ts'
import { type KeyedChain, pemOf } from '../../certificate/keyed-chain.ts'
import { ContextError } from '../../errors.ts'
import { nameOnly, requireRoomForNames } from '../trusted-authorities.ts'
import { SUITES } from './cipher-suites.ts'
import { misfitOfClientKey, misfitOfServerKey, type Offer, requireSigningKey } from './key-fit.ts'
import { schemeCode } from './signature-schemes.ts'
import type { TlsSettings } from './tls-settings.ts'

/** The contexts of one `ClientTLS` or `ServerTLS`: one for each chain, made when it is first needed. */
export class ContextCache {
  readonly #settings: TlsSettings
  readonly #ca: readonly string[]
  readonly #contexts = new WeakMap<KeyedChain, SecureContext>()
  #withoutChain: SecureContext | undefined

  /**
   * @param options.authorities - As a server: those whose names clients get to see. Their keys are never OpenSSL's to
   *   trust.
   * @throws {ContextError} If there are more names than a handshake has room for.
   */
  constructor(settings: TlsSettings, { authorities = [] }: { readonly authorities?: readonly Certificate[] } = {}) {
    requireRoomForNames(authorities)
    this.#settings = settings
    this.#ca = authorities.map(nameOnly)
  }

  /**
   * The context that shows a chain, or none.
   *
   * @throws {ContextError} If no handshake could come of it: TLS has no place for the key, the settings leave it no use
   *   in a version that is enabled, or OpenSSL refuses it. The message begins with the subject.
   */
  get(chain: KeyedChain | null): SecureContext {
    if (chain === null) {
      this.#withoutChain ??= makeContext(null, this.#settings, this.#ca)
      return this.#withoutChain
    }
    const known = this.#contexts.get(chain)
    if (known !== undefined) return known
    const context = makeContext(chain, this.#settings, this.#ca)
    this.#contexts.set(chain, context)
    return context
  }
}

function makeContext(chain: KeyedChain | null, settings: TlsSettings, ca: readonly string[]): SecureContext {
  if (chain !== null) requireFit(chain.leaf, settings)
  try {
    return createSecureContext({
      ...settings.secureContextOptions,
      // An empty list and not an absent one, which would mean the authorities that Node brings along.
      ca: [...ca],
      ...(chain === null ? {} : pemOf(chain)),
    })
  } catch (cause) {
    // The key is sound and the leaf's, so this is about its strength, or about an OpenSSL that lacks something.
    const problem = cause instanceof Error ? cause.message : String(cause)
    const what = chain === null ? 'the settings' : `${chain.leaf.subject}: OpenSSL refuses the certificate`
    throw new ContextError(`${what}: ${problem}`, { cause })
  }
}

function requireFit(leaf: Certificate, settings: TlsSettings): void {
  const key = requireSigningKey(leaf, settings.side)
  const offer: Offer = {
    signatureSchemes: settings.signatureSchemes?.map(schemeCode) ?? null,
    cipherSuites: settings.cipherSuites.map((suite) => SUITES[suite].code),
    // A server may show a curve that it has no key exchange for; whether the client takes it is up to the client's list.
    groups: null,
  }
  const misfitOf = settings.side === 'server' ? misfitOfServerKey : misfitOfClientKey
  for (const version of settings.versions) {
    const misfit = misfitOf(key, version, offer)
    if (misfit === null) continue
    throw new ContextError(`${leaf.subject}: "${misfit}" leaves a key of the kind ${key} no use in ${version}`)
  }
}
