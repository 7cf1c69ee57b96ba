// Who is at the other end? Asked when the peer has proven its key and the gate is closed: see connection.ts.
//
// Each check either passes or throws; what is thrown says which alert the peer gets (see failures.ts). A check may take
// its time, and the connection may be over before it answers; then nobody looks at the answer any more.

import type { Certificate } from '../../certificate/certificate.ts'
import type { KeyedChain } from '../../certificate/keyed-chain.ts'
import { mintPeer, mintVerifiedPeer, type Peer, type TLSVersion } from '../../certificate/peer.ts'
import type { PeerCandidate } from '../../certificate/peer-verifier.ts'
import { BadTLSDataError } from '../../errors.ts'
import { AlertCode } from '../alert.ts'
import type { ClientHelloInfo } from '../client-hello.ts'
import { acceptedBy, ask, refusalError } from '../verifiers/ask.ts'
import { ClientCertificateRestart } from './client-certificate-restart.ts'
import type { Engine } from './engine.ts'
import { Refusal, refusalOf } from './failures.ts'
import { carriesCertificate } from './hello-filter.ts'
import { andThen, type MaybePromise } from './maybe-promise.ts'
import type { ClientPlan, Limits, Plan, ServerPlan } from './plan.ts'

/** What has been proven, and who is to be asked about it. */
export interface Proof {
  readonly engine: Engine
  readonly plan: Plan
  readonly version: TLSVersion | null
  readonly localChain: KeyedChain | null
  /** On a server. */
  readonly clientHello: ClientHelloInfo | null
  /** Aborted when nobody waits for the answer any more. */
  signal(): AbortSignal
  /** The program's own check, after all others. */
  askProgram(chain: readonly Certificate[]): MaybePromise<void>
}

/** Somebody who has been accepted. */
export interface Accepted {
  /** Null if a client has no certificate. */
  readonly peer: Peer | null
  readonly chain: readonly Certificate[]
}

/** Judges the peer. Throws, or rejects, to refuse it. */
export function verifyPeer(proof: Proof): MaybePromise<Accepted> {
  const { engine, plan, version } = proof
  // Resumption was never offered, and repeats an old certificate without a proof.
  if (version === null || engine.tls.isSessionReused()) {
    throw badData('the peer uses a version or a session that was not offered', AlertCode.illegal_parameter)
  }
  // Frozen, because what is judged is what the peer will be made of.
  const chain = engine.peerChain()
  requireLimits(chain, plan.limits)
  return plan.side === 'client' ? verifyServer(proof, plan, chain, version) : verifyClient(proof, plan, chain, version)
}

function verifyServer(
  proof: Proof,
  plan: ClientPlan,
  chain: readonly Certificate[],
  protocol: TLSVersion,
): MaybePromise<Accepted> {
  const { endpoint, verifier } = plan
  const [certificate] = chain
  if (certificate === undefined) {
    throw badData('the server has no certificate, or none that can be read', AlertCode.bad_certificate)
  }
  const candidate: PeerCandidate = Object.freeze({
    endpoint,
    certificate,
    chain,
    protocol,
    get signal() {
      return proof.signal()
    },
  })
  return andThen(ask(verifier, candidate), (decision) => {
    if (decision.accept !== true) {
      const { reason, alert } = refusalOf(decision.error ?? refusalError(candidate, decision))
      throw new Refusal(reason, decision.alert ?? alert)
    }
    return andThen(proof.askProgram(chain), () =>
      andThen(settleIdentity(proof, plan, protocol), () => ({
        peer: mintVerifiedPeer({ certificate, chain, protocol }, endpoint, acceptedBy(verifier, decision)),
        chain,
      })),
    )
  })
}

/** The server is accepted, so it may learn who we are. Does it want to, and is that all right? */
function settleIdentity({ engine, localChain }: Proof, plan: ClientPlan, protocol: TLSVersion): MaybePromise<void> {
  if (plan.answerRequest === null) {
    const isInClear = protocol === 'TLSv1.2' && localChain !== null && carriesCertificate(engine.held)
    if (isInClear) plan.identityInClear(localChain.leaf)
    return
  }
  const request = engine.certificateRequest()
  if (request === null) return
  return andThen(plan.answerRequest(request), (chain) => {
    if (chain !== null) throw new Refusal(new ClientCertificateRestart(chain), AlertCode.user_canceled)
  })
}

function verifyClient(
  proof: Proof,
  plan: ServerPlan,
  chain: readonly Certificate[],
  protocol: TLSVersion,
): MaybePromise<Accepted> {
  const { servername } = proof.engine.tls
  // What was read before decided on the certificate, so OpenSSL must have read the same. It goes by the second hello, if
  // there are two, and does not mind another name in it.
  const sni = typeof servername === 'string' && servername !== '' ? servername : null
  if (sni !== (proof.clientHello?.sni ?? null)) {
    throw badData('the server name of the client can be read in two ways', AlertCode.illegal_parameter)
  }
  const issuance = plan.admit(chain, protocol)
  return andThen(proof.askProgram(chain), () => {
    const [certificate] = chain
    return { peer: certificate === undefined ? null : mintPeer({ certificate, chain, protocol, ...issuance }), chain }
  })
}

function requireLimits(chain: readonly Certificate[], { maxChainLength, maxCertificateBytes }: Limits): void {
  const bytes = chain.reduce((sum, { der }) => sum + der.length, 0)
  if (chain.length <= maxChainLength && bytes <= maxCertificateBytes) return
  throw badData(`the peer sent ${chain.length} certificates of ${bytes} bytes`, AlertCode.bad_certificate)
}

function badData(message: string, alert: number): Refusal {
  return new Refusal(new BadTLSDataError(message), alert)
}
