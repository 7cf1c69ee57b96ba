// What `connect` adds to TLS over a transport: a context in place of options, one deadline for everything, and errors
// that name the endpoint.

import type { Duplex } from 'node:stream'
import type { VerifiedPeer } from '../certificate/peer.ts'
import type { PeerVerifier } from '../certificate/peer-verifier.ts'
import { BadTLSDataError, ConnectionError, TLSAlertError, TruncatedError } from '../errors.ts'
import { systemClock } from '../internal/clock.ts'
import type { Endpoint } from '../names/endpoint.ts'
import { alertName } from './alert.ts'
import type { Deadline } from './deadline.ts'
import type { ConnectionInfo } from './sans-io/connection-info.ts'
import { andThen } from './sans-io/maybe-promise.ts'
import type { ClientPlan } from './sans-io/plan.ts'
import { TLSDuplex } from './sans-io/tls-duplex.ts'
import { DEFAULT_LIMITS } from './sans-io/tls-settings.ts'

export interface HandshakeOptions {
  readonly endpoint: Endpoint
  /** What to show, and when to choose it. */
  readonly credentials: Pick<ClientPlan, 'alpn' | 'begin' | 'answerRequest'>
  /** The name to ask for by SNI, or null. */
  readonly serverName: string | null
  readonly verify: PeerVerifier
  readonly deadline: Deadline
  /** Is asked before the identity is sent in clear; throws to refuse. */
  readonly onIdentityInClear: ClientPlan['identityInClear']
}

/** What comes of a handshake. */
export interface SecureConnection {
  readonly stream: TLSDuplex
  readonly peer: VerifiedPeer
  readonly info: ConnectionInfo
}

/** Speaks TLS over a transport that is connected. The transport belongs to the handshake from here on. */
export function shakeHands(transport: Duplex, options: HandshakeOptions): Promise<SecureConnection> {
  const { endpoint, deadline } = options
  return new Promise((resolve, reject) => {
    const stream = TLSDuplex.over(transport, planOf(options), {
      describe: (error, opened) => (opened ? streamError(error) : handshakeError(endpoint, error)),
      onOpen: () => {
        settle()
        const { peer, info } = stream.connection
        // A plan of a client opens with both.
        resolve({ stream, peer: peer as VerifiedPeer, info: info as ConnectionInfo })
      },
    })
    const stop = (): void => {
      stream.destroy(deadline.signal.reason)
    }
    const fail = (error: Error): void => {
      settle()
      reject(error)
    }
    const settle = (): void => {
      deadline.signal.removeEventListener('abort', stop)
      stream.off('error', fail)
    }
    stream.on('error', fail)
    if (deadline.signal.aborted) stop()
    else deadline.signal.addEventListener('abort', stop, { once: true })
  })
}

function planOf({
  endpoint,
  credentials,
  serverName,
  verify,
  deadline,
  onIdentityInClear,
}: HandshakeOptions): ClientPlan {
  return {
    ...credentials,
    side: 'client',
    endpoint,
    serverName,
    verifier: {
      name: verify.name,
      verify(candidate) {
        deadline.verifying()
        return andThen(verify.verify(candidate), (decision) => {
          deadline.verified()
          return decision
        })
      },
    },
    limits: DEFAULT_LIMITS,
    // The deadline knows.
    timeouts: { handshakeMs: null, verifyMs: null, certificateMs: null },
    clock: systemClock,
    identityInClear: onIdentityInClear,
  }
}

function handshakeError(endpoint: Endpoint, error: Error): Error {
  const failed = (what: string, cause: unknown, alert?: number): ConnectionError =>
    new ConnectionError('ERR_TLACACOCA_HANDSHAKE_FAILED', `${endpoint} ${what}`, {
      ...(cause === undefined ? {} : { cause }),
      ...(alert === undefined ? {} : { alert }),
    })
  if (error instanceof TLSAlertError) {
    const { alertCode } = error
    return failed(`ended the handshake with the alert ${alertName(alertCode)}`, error, alertCode)
  }
  if (error instanceof TruncatedError) return failed('closed the connection during the handshake', error.cause)
  return error instanceof BadTLSDataError
    ? failed(`does not get through the handshake: ${error.message}`, error)
    : error
}

function streamError(error: Error): Error {
  const broken = (what: string, alert?: number): ConnectionError =>
    new ConnectionError('ERR_TLACACOCA_CONNECTION_BROKEN', `the connection ${what}`, {
      cause: error,
      ...(alert === undefined ? {} : { alert }),
    })
  if (error instanceof TLSAlertError)
    return broken(`was ended by the alert ${alertName(error.alertCode)}`, error.alertCode)
  return error instanceof BadTLSDataError ? broken(`broke: ${error.message}`) : error
}
