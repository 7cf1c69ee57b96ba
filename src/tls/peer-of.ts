// From a TLS socket to the peer behind it.
//
// Node gives the peer's certificates away once. On a client `getPeerX509Certificate` takes the leaf out of the session
// (Node 20 to 24), on a server what stands behind the leaf; whoever asks next gets less. So they are read once and
// remembered for as long as the socket lives; on a client that is a program's own, by another call that does no harm and
// takes 200 us more.
//
// That other call, `getPeerCertificate`, ends the process in Node 23 to 25, and in 26 at least up to 26.0, where any
// certificate that is sent has an elliptic-curve key on a curve without a name by NIST, or one that cannot be read. So it is
// not made there. The session has the server's certificate too, and that one alone.

import { TLSSocket } from 'node:tls'
import { Certificate } from '../certificate/certificate.ts'
import { readWhole, TAG } from '../certificate/der.ts'
import { mintPeer, type Peer, type PeerFacts } from '../certificate/peer.ts'
import { show } from '../internal/arguments.ts'
import { TLS_VERSIONS } from './policy.ts'

/**
 * The peer at the other end of a finished handshake: on a server the client with its certificate, on a client the
 * server (in Node 24 and later without the certificates that came with its own). Call it as often as you like; the
 * answer for a socket is always the same object, also after its end.
 *
 * Null means that nobody proved anything: the client sent no certificate, or one that is not well-formed; the session
 * was resumed, which repeats the certificate of an earlier connection without a proof; the socket was destroyed before
 * anybody asked.
 *
 * A peer says nothing about who it is. For servers use `connect`, which asks a verifier. `issuance` is `not_checked`
 * unless the socket belongs to a server that the context was attached to: see {@link ServerContext.attach}.
 *
 * @throws {TypeError} If `socket` is no TLS socket, or its handshake has not finished: there is no proof yet.
 * @example
 * import { createServer } from 'node:tls'
 * import { createServerContext, peerOf } from 'tlacacoca/tls'
 *
 * const context = await createServerContext({
 *   certificates: [{ certFile: 'cert.pem', keyFile: 'key.pem' }],
 *   clientCertificates: 'request',
 * })
 * const server = createServer(context.options, (socket) => {
 *   socket.end(`20 text/plain\r\nyou are ${peerOf(socket)?.fingerprint ?? 'nobody'}\n`)
 * })
 * context.attach(server)
 */
export function peerOf(socket: TLSSocket): Peer | null {
  if (!(socket instanceof TLSSocket)) throw new TypeError(`"socket" expected a TLSSocket, got ${show(socket)}`)
  const known = peers.get(socket)
  if (known !== undefined) return known
  if (socket.destroyed) return null
  // The Finished message is the last of the peer's handshake, after the proof of its key (RFC 8446 section 4.4.4).
  if (socket.getPeerFinished() === undefined) {
    throw new TypeError('"socket" expected a finished handshake, got one in progress: nothing is proven yet')
  }
  return peerJudgedBy(socket, () => ({}))
}

/** @internal What is known of the issuer of a peer. */
export type IssuanceFacts = Pick<PeerFacts, 'issuance' | 'issuanceProblem'>

/** @internal Finds out what is known of the issuer of a certificate, with the help of what came with it. */
export type IssuanceJudge = (certificate: Certificate, chain: readonly Certificate[]) => IssuanceFacts

/** @internal The peer of a socket whose handshake has just finished, for `peerOf` to repeat. */
export function peerJudgedBy(socket: TLSSocket, judge: IssuanceJudge): Peer | null {
  const peer = readPeer(socket, judge)
  peers.set(socket, peer)
  return peer
}

/**
 * @internal What the peer sent, in that order; empty if it sent none, or one that cannot be read. It can be asked once,
 * so it is for sockets that nobody else sees.
 */
export function peerChain(socket: TLSSocket): readonly Certificate[] {
  return readChain(sent(socket))
}

// One entry per live socket; nothing is kept for longer than the socket itself.
const peers = new WeakMap<TLSSocket, Peer | null>()

function readPeer(socket: TLSSocket, judge: IssuanceJudge): Peer | null {
  const protocol = TLS_VERSIONS.find((version) => version === socket.getProtocol())
  if (protocol === undefined || socket.isSessionReused()) return null
  const chain = readChain(isServerSide(socket) ? sent(socket) : sentToClient(socket))
  const [certificate] = chain
  return certificate === undefined ? null : mintPeer({ certificate, chain, protocol, ...judge(certificate, chain) })
}

// Documented for `getEphemeralKeyInfo`: null on a server. There is no plainer question in the public interface.
function isServerSide(socket: TLSSocket): boolean {
  return socket.getEphemeralKeyInfo() === null
}

function sent(socket: TLSSocket): Uint8Array[] {
  const sent: Uint8Array[] = []
  for (let link = socket.getPeerX509Certificate(); link !== undefined; link = link.issuerCertificate) {
    sent.push(link.raw)
  }
  return sent
}

// By issuer, so that certificates which belong to nobody are left out; a root names itself as its issuer.
function sentToClient(socket: TLSSocket): Uint8Array[] {
  if (DETAILS_ARE_DEADLY) return leafOfSession(socket)
  const sent: Uint8Array[] = []
  let link = socket.getPeerCertificate(true)
  while (link?.raw !== undefined) {
    sent.push(link.raw)
    if (link.issuerCertificate === link) break
    link = link.issuerCertificate
  }
  return sent
}

const DETAILS_ARE_DEADLY = Number.parseInt(process.versions.node, 10) > 22

/**
 * OpenSSL's form of a session is a sequence in which the peer's certificate has the tag [3]. Node puts a name of its own
 * before it. Should that form change one day, the other call answers, and leaves less to whoever asks Node next.
 */
function leafOfSession(socket: TLSSocket): Uint8Array[] {
  const session = socket.getSession()
  if (session === undefined) return sent(socket)
  try {
    const fields = readWhole(session.subarray(startOfSession(session)), TAG.sequence, 'the session').children()
    for (;;) {
      const field = fields.readAny('a field of the session')
      if (field.tag === 0xa3) return [Uint8Array.from(field.content)]
    }
  } catch {
    return sent(socket)
  } finally {
    // The keys of the connection are in it.
    session.fill(0)
  }
}

/** A sequence of 256 to 65,535 octets, as every session with a certificate is, that ends where all ends. */
function startOfSession(session: Buffer): number {
  let at = session.indexOf(LONG_SEQUENCE)
  while (at >= 0 && at + 4 + session.readUInt16BE(at + 2) !== session.length) {
    at = session.indexOf(LONG_SEQUENCE, at + 1)
  }
  return Math.max(at, 0)
}

const LONG_SEQUENCE = Buffer.from([TAG.sequence, 0x82])

function readChain([leaf, ...others]: readonly Uint8Array[]): readonly Certificate[] {
  const certificate = leaf === undefined ? null : read(leaf)
  if (certificate === null) return []
  // What cannot be read among the others can help nobody to find an issuer.
  return [certificate, ...others.map(read).filter((link) => link !== null)]
}

function read(der: Uint8Array): Certificate | null {
  try {
    return Certificate.from(der)
  } catch {
    return null
  }
}
