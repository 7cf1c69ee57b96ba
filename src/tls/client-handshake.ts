// One TLS handshake of a client over any transport: through the gate, past the verifier, to a verified peer.
//
// It ends exactly once. Whatever goes wrong (OpenSSL, the transport, the verifier, the deadline), everything is
// destroyed before the promise rejects, and what the gate held is gone.

import type { Duplex } from 'node:stream'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { mintVerifiedPeer, type VerifiedPeer } from '../certificate/peer.ts'
import type { PeerCandidate, PeerVerifier } from '../certificate/peer-verifier.ts'
import { ConnectionError } from '../errors.ts'
import type { Endpoint } from '../names/endpoint.ts'
import { alertName, complaint, receivedAlert } from './alert.ts'
import type { ClientContext } from './client-context.ts'
import { ClientStream } from './client-stream.ts'
import type { Deadline } from './deadline.ts'
import { Gate } from './gate.ts'
import { carriesCertificate } from './hello-filter.ts'
import { peerChain } from './peer-of.ts'
import { TLS_VERSIONS } from './policy.ts'
import { acceptedBy, ask, refusalError } from './verifiers/ask.ts'

export interface HandshakeOptions {
  readonly endpoint: Endpoint
  readonly context: ClientContext
  /** The name to ask for by SNI, or null. */
  readonly serverName: string | null
  readonly verify: PeerVerifier
  readonly deadline: Deadline
  /** Is asked before the identity is sent in clear; throws to refuse. */
  readonly onIdentityInClear: () => void
}

/** What comes of a handshake. */
export interface SecureConnection {
  readonly stream: ClientStream
  readonly peer: VerifiedPeer
  /** The application protocol that was agreed on, or null. */
  readonly alpn: string | null
}

/** Speaks TLS over a transport that is connected. The transport belongs to the handshake from here on. */
export function shakeHands(transport: Duplex, options: HandshakeOptions): Promise<SecureConnection> {
  return new Promise((resolve, reject) => {
    new ClientHandshake(transport, options, resolve, reject)
  })
}

class ClientHandshake {
  readonly #options: HandshakeOptions
  readonly #resolve: (value: SecureConnection) => void
  readonly #reject: (error: Error) => void
  readonly #gate: Gate
  readonly #tls: TLSSocket
  /** Tells the verifier that nobody waits for it any more. */
  readonly #abandoned = new AbortController()
  readonly #deadlinePassed = (): void => this.#fail(this.#options.deadline.signal.reason)
  #accepted: { readonly candidate: PeerCandidate; readonly by: string } | null = null
  #finished = false
  #settled = false

  constructor(
    transport: Duplex,
    options: HandshakeOptions,
    resolve: (value: SecureConnection) => void,
    reject: (error: Error) => void,
  ) {
    this.#options = options
    this.#resolve = resolve
    this.#reject = reject
    // The gate reports from inside OpenSSL's write; what is to be done about it waits until that is over.
    this.#gate = new Gate(transport, (held) => queueMicrotask(() => this.#judge(held)))
    this.#gate.onTransportEnd = () => this.#transportEnded()
    const { context, serverName, deadline } = options
    this.#tls = connectTls({
      socket: this.#gate,
      secureContext: context.secureContext,
      // OpenSSL is not asked whom to trust: the verifier is, while the gate is closed. Nothing can happen without it.
      rejectUnauthorized: false,
      ...(context.alpn.length === 0 ? {} : { ALPNProtocols: [...context.alpn] }),
      ...(serverName === null ? {} : { servername: serverName }),
    })
    this.#tls.on('error', (error) => this.#tlsFailed(error))
    this.#tls.once('secureConnect', () => {
      this.#finished = true
      this.#completeIfReady()
    })
    this.#tls.once('close', () => {
      if (!this.#settled) this.#fail(this.#handshakeError('was closed during the handshake'))
    })
    if (deadline.signal.aborted) this.#deadlinePassed()
    else deadline.signal.addEventListener('abort', this.#deadlinePassed, { once: true })
  }

  /** Asks the verifier, now that there is a proven certificate and nothing of ours has left. */
  async #judge(held: Uint8Array): Promise<void> {
    const { deadline, verify, onIdentityInClear } = this.#options
    try {
      if (this.#settled) return
      const candidate = this.#candidate()
      if (candidate.protocol === 'TLSv1.2' && carriesCertificate(held)) onIdentityInClear()
      deadline.verifying()
      const decision = await ask(verify, candidate)
      if (this.#settled) return
      deadline.verified()
      if (decision.accept !== true) throw decision.error ?? refusalError(candidate, decision)
      this.#accepted = { candidate, by: acceptedBy(verify, decision) }
      this.#gate.open()
      this.#completeIfReady()
    } catch (error) {
      this.#fail(error)
    }
  }

  /** @throws {ConnectionError} If the server has not shown a certificate in this very handshake. */
  #candidate(): PeerCandidate {
    const protocol = TLS_VERSIONS.find((version) => version === this.#tls.getProtocol())
    if (protocol === undefined || this.#tls.isSessionReused()) {
      throw this.#handshakeError('used a protocol or a session that was not offered')
    }
    const chain = peerChain(this.#tls)
    const [certificate] = chain
    if (certificate === undefined) throw this.#handshakeError('has no certificate, or none that can be read')
    const { endpoint } = this.#options
    // Frozen, because what was judged is what the peer will be made of.
    return Object.freeze({
      endpoint,
      certificate,
      chain: Object.freeze(chain),
      protocol,
      signal: this.#abandoned.signal,
    })
  }

  #completeIfReady(): void {
    if (this.#settled || !this.#finished || this.#accepted === null) return
    const { candidate, by } = this.#accepted
    const { certificate, chain, protocol, endpoint } = candidate
    const { alpnProtocol } = this.#tls
    this.#settle()
    // Both sides have sent Finished by now with TLS 1.2; with TLS 1.3 the server has, and its proof has been checked.
    const peer = mintVerifiedPeer({ certificate, chain, protocol }, endpoint, by)
    const stream = new ClientStream(this.#tls, this.#gate)
    this.#resolve({ stream, peer, alpn: typeof alpnProtocol === 'string' ? alpnProtocol : null })
  }

  #tlsFailed(error: Error): void {
    const alert = receivedAlert(error)
    if (alert === undefined) this.#fail(this.#handshakeError(`does not agree on TLS: ${complaint(error)}`, error))
    else this.#fail(this.#handshakeError(`ended the handshake with the alert ${alertName(alert)}`, error, alert))
  }

  // The last bytes may hold an alert, which says more. OpenSSL sees it within this turn of the event loop.
  #transportEnded(): void {
    setImmediate(() => {
      if (this.#settled) return
      this.#fail(this.#handshakeError('closed the connection during the handshake', this.#gate.transportError))
    })
  }

  #handshakeError(what: string, cause: Error | null = null, alert?: number): ConnectionError {
    return new ConnectionError('ERR_TLACACOCA_HANDSHAKE_FAILED', `${this.#options.endpoint} ${what}`, {
      ...(cause === null ? {} : { cause }),
      ...(alert === undefined ? {} : { alert }),
    })
  }

  #fail(error: unknown): void {
    if (this.#settled) return
    this.#settle()
    // First the gate, so that nothing OpenSSL might still want to say can leave.
    this.#gate.destroy()
    this.#tls.destroy()
    this.#abandoned.abort(error)
    this.#reject(error instanceof Error ? error : new Error(String(error)))
  }

  #settle(): void {
    this.#settled = true
    this.#options.deadline.signal.removeEventListener('abort', this.#deadlinePassed)
    this.#gate.onTransportEnd = () => {}
  }
}
