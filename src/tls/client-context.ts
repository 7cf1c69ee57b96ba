// What a client shows and accepts: an identity or none, the versions, the application protocols.

import { createSecureContext, type SecureContext } from 'node:tls'
import type { Certificate } from '../certificate/certificate.ts'
import type { KeyedChain } from '../certificate/keyed-chain.ts'
import type { TLSVersion } from '../certificate/peer.ts'
import { ContextError } from '../errors.ts'
import { requireOptions } from '../internal/arguments.ts'
import { type ClientIdentity, loadIdentity, requireIdentity } from './identity.ts'
import { policyOptions, requireProtocols } from './policy.ts'
import { encodeProtocols } from './sans-io/alpn.ts'
import type { ClientPlan, Identity } from './sans-io/plan.ts'

/** What {@link createClientContext} takes. All of it is optional. */
export interface ClientContextOptions {
  /**
   * The certificate to show to servers that ask for one, with its key: files, PEM text, or `{ chain }` with a
   * `KeyedChain`. None by default.
   */
  readonly identity?: ClientIdentity
  /** TLS 1.2 by default. There is nothing below. */
  readonly minVersion?: TLSVersion
  /** Application protocols (ALPN) in order of preference. None by default: Gemini and its relatives have none. */
  readonly alpn?: readonly string[]
}

/**
 * Reads and checks what a TLS client needs. TLS 1.2 and 1.3 with forward-secret AEAD suites only; no renegotiation, no
 * compression, no session resumption; none of that can be changed. Whom to trust is not part of it: `connect` takes a
 * verifier each time.
 *
 * @returns A context for `connect`, which can be used for any number of connections.
 * @throws {TypeError} If an option has the wrong type, or is none.
 * @throws {FileError} `FILE_NOT_FOUND` or `FILE_UNREADABLE`.
 * @throws {CertificateError} `CERTIFICATE_MALFORMED` if there is no certificate in the text at all.
 * @throws {ChainError} If something in it is malformed or is no part of one chain, as `KeyedChain.fromPem`
 *   has it. Certificates may be weak, of version 1, expired, or meant for another purpose.
 * @throws {PrivateKeyError} `KEY_MALFORMED`, `KEY_PASSPHRASE_REQUIRED`, `KEY_PASSPHRASE_WRONG`, or `KEY_MISMATCH`.
 * @throws {ContextError} If TLS or OpenSSL cannot use a sound certificate: a key on an unusual curve, one too short.
 * @example
 * import { createClientContext } from 'tlacacoca/tls'
 *
 * const context = await createClientContext({
 *   identity: { certFile: 'me.pem', keyFile: 'me.key', passphrase: 'correct horse battery staple' },
 *   minVersion: 'TLSv1.3',
 * })
 * console.log(context.identity?.fingerprint)
 */
export async function createClientContext(options: ClientContextOptions = {}): Promise<ClientContext> {
  requireOptions('options', options, ['identity', 'minVersion', 'alpn'])
  const { identity, alpn = [] } = options
  if (identity !== undefined) requireIdentity(identity)
  requireProtocols('alpn', alpn)
  const policy = policyOptions(options.minVersion)
  const loaded = identity === undefined ? null : await loadIdentity(identity)
  try {
    const secureContext = createSecureContext({
      ...policy,
      // OpenSSL judges nobody here, so it need not load the authorities that Node comes with.
      ca: [],
      ...(loaded === null ? {} : { cert: loaded.certPem, key: loaded.keyPem }),
    })
    return new ClientContext(MADE, {
      secureContext,
      chain: loaded?.chain ?? null,
      minVersion: policy.minVersion,
      alpn,
    })
  } catch (cause) {
    // The key is sound and the certificate's, so OpenSSL's complaint is about its strength.
    throw new ContextError(`OpenSSL refuses the identity: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
}

const MADE = Symbol('made')

interface ClientContextParts {
  readonly secureContext: SecureContext
  readonly chain: KeyedChain | null
  readonly minVersion: TLSVersion
  readonly alpn: readonly string[]
}

/**
 * Made by {@link createClientContext}. It never changes.
 *
 * @example
 * import { connect, createClientContext, parseEndpoint, parseFingerprint, pins } from 'tlacacoca'
 *
 * const context = await createClientContext({ identity: { certFile: 'me.pem', keyFile: 'me.key' } })
 * const verify = pins([parseFingerprint(`sha256:${'ab'.repeat(32)}`)])
 * const { stream } = await connect({ endpoint: parseEndpoint('localhost:1965'), context, verify })
 * stream.end('gemini://localhost/\r\n')
 */
export class ClientContext {
  /** The certificate that is shown to servers that ask for one, or null. */
  readonly identity: Certificate | null
  readonly minVersion: TLSVersion
  /** Application protocols in order of preference. */
  readonly alpn: readonly string[]
  readonly #identity: Identity

  /** @internal */
  constructor(made: symbol, parts: ClientContextParts) {
    if (made !== MADE) throw new TypeError('a ClientContext comes from createClientContext and cannot be constructed')
    this.identity = parts.chain?.leaf ?? null
    this.minVersion = parts.minVersion
    this.alpn = Object.freeze([...parts.alpn])
    this.#identity = { secureContext: parts.secureContext, chain: parts.chain }
  }

  /** @internal */
  static is(value: unknown): value is ClientContext {
    return typeof value === 'object' && value !== null && #identity in value
  }

  /** @internal What a handshake needs of it. */
  get credentials(): Pick<ClientPlan, 'alpn' | 'begin' | 'answerRequest'> {
    return { alpn: encodeProtocols(this.alpn), begin: () => this.#identity, answerRequest: null }
  }
}
