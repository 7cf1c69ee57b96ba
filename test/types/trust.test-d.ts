// Trust on first use, verifiers and connections: a verdict is no yes, and what is verified is a value of its own.

import { type Certificate, type Fingerprint, parseEndpoint, parseFingerprint } from 'tlacacoca/certificate'
import type { ConnectionGuard, Peer, PeerVerifier, TLSVersion, VerifiedPeer, VerifierDecision } from 'tlacacoca/tls'
import {
  allOf,
  anyOf,
  authorities,
  connect,
  createServer,
  createServerContext,
  pins,
  type ServerContext,
} from 'tlacacoca/tls'
import { type AcceptedVerdict, type PinStore, TofuStore, type Verdict } from 'tlacacoca/tofu'
import { expectTypeOf } from 'vitest'

declare const store: TofuStore
declare const certificate: Certificate
declare const context: ServerContext
declare const peer: Peer
const endpoint = parseEndpoint('a.example:1965')

// What verifies throws otherwise, and gives no verdict that could be overlooked.
export async function verdicts(): Promise<void> {
  expectTypeOf(store.verify(endpoint, certificate)).toEqualTypeOf<Promise<AcceptedVerdict>>()
  expectTypeOf<AcceptedVerdict['accepted']>().toEqualTypeOf<true>()
  const verdict = await store.judge(endpoint, certificate)
  expectTypeOf(verdict).toEqualTypeOf<Verdict>()
  // @ts-expect-error A verdict that was only judged may be a refusal.
  const usable: AcceptedVerdict = verdict
  void usable
  // @ts-expect-error What was pinned is not known of a first use.
  verdict.pinned
  switch (verdict.kind) {
    case 'trusted':
    case 'first_use':
    case 'renewed':
    case 'rotated':
    case 'changed':
    case 'distrusted':
      return
    default:
      expectTypeOf(verdict).toBeNever()
  }
}

export async function stores(): Promise<void> {
  expectTypeOf(TofuStore.open({ appName: 'mine' })).toEqualTypeOf<Promise<TofuStore>>()
  // @ts-expect-error Either a path or the name of a program.
  await TofuStore.open({ appName: 'mine', path: 'pins.db' })
  // @ts-expect-error Neither of them.
  await TofuStore.open({})
  // @ts-expect-error It is `changed`, and this would leave the default.
  store.verifier({ onChange: 'refuse' })
  // @ts-expect-error No policy accepts whatever has changed.
  store.verifier({ changed: 'accept' })
  // @ts-expect-error A bare yes could be a promise.
  store.verifier({ firstUse: 'ask', onFirstUse: () => true })
  store.verifier({ firstUse: 'ask', onFirstUse: async () => ({ accept: false }) })
  // @ts-expect-error A text is no endpoint: four spellings of it would be four servers.
  await store.verify('a.example:1965', certificate)
  // A store of one's own may answer at once.
  expectTypeOf<Pick<PinStore, 'version'>>().toEqualTypeOf<{ version(): number | Promise<number> }>()
}

// Fingerprints come from the parser.
export function fingerprints(): void {
  const parsed = parseFingerprint('00'.repeat(32))
  expectTypeOf(parsed).toEqualTypeOf<Fingerprint>()
  expectTypeOf(parsed).toExtend<string>()
  // @ts-expect-error Any text might be one in another spelling, and never equal.
  const spelled: Fingerprint = 'SHA256:0000'
  void spelled
  // @ts-expect-error A fingerprint or a certificate.
  void store.trust(endpoint, 'sha256:00')
}

export async function connections(): Promise<void> {
  const { peer: server, stream } = await connect({ endpoint, verify: store.verifier() })
  expectTypeOf(server).toEqualTypeOf<VerifiedPeer>()
  expectTypeOf(server.acceptedBy).toEqualTypeOf<string>()
  stream.end()
  // @ts-expect-error Nobody connects without saying whom to trust.
  await connect({ endpoint })
  // @ts-expect-error There is no such switch.
  await connect({ endpoint, verify: store.verifier(), rejectUnauthorized: false })
  // @ts-expect-error A function is no verifier.
  await connect({ endpoint, verify: () => true })
  // @ts-expect-error A peer is not a verified one.
  const verified: VerifiedPeer = peer
  void verified
  // @ts-expect-error The form of a peer is not enough.
  const made: Peer = { certificate, chain: [], protocol: 'TLSv1.3', issuance: 'not_asked', issuanceProblem: null }
  void made
}

export function verifiers(): void {
  expectTypeOf(anyOf(store.verifier(), authorities('system'))).toEqualTypeOf<PeerVerifier>()
  expectTypeOf(allOf(store.verifier(), pins(['sha256:…']))).toEqualTypeOf<PeerVerifier>()
  const own = { name: 'mine', verify: (): VerifierDecision => ({ accept: true, ground: 'because' }) }
  expectTypeOf(own).toExtend<PeerVerifier>()
  // @ts-expect-error Whoever accepts says on what ground.
  const groundless: VerifierDecision = { accept: true }
  // @ts-expect-error Whoever refuses says why.
  const unexplained: VerifierDecision = { accept: false }
  void [groundless, unexplained]
}

export async function servers(): Promise<void> {
  const files = { certFile: 'cert.pem', keyFile: 'key.pem' }
  expectTypeOf(createServerContext({ certificates: [files] })).toEqualTypeOf<Promise<ServerContext>>()
  await createServerContext({
    certificates: [{ cert: '…', key: '…', hostnames: ['a.example'] }],
    minVersion: 'TLSv1.3',
  })
  // @ts-expect-error There is no other spelling of a file.
  await createServerContext({ certificates: [{ certPath: 'cert.pem', keyPath: 'key.pem' }] })
  // @ts-expect-error A certificate without a key.
  await createServerContext({ certificates: [{ certFile: 'cert.pem' }] })
  // @ts-expect-error A certificate in one way and its key in another.
  await createServerContext({ certificates: [{ certFile: 'cert.pem', key: '…' }] })
  expectTypeOf<TLSVersion>().toEqualTypeOf<'TLSv1.2' | 'TLSv1.3'>()
  // @ts-expect-error Older versions cannot be spelt.
  await createServerContext({ certificates: [files], minVersion: 'TLSv1.1' })
  // @ts-expect-error Nor can cipher suites of a context.
  await createServerContext({ certificates: [files], ciphers: 'ALL' })

  createServer(context, ({ peer: client, stream }) => {
    expectTypeOf(client).toEqualTypeOf<Peer | null>()
    // @ts-expect-error A client may have shown no certificate.
    stream.end(client.fingerprint)
  })
  // @ts-expect-error It is `handshakeTimeoutMs`; times have their unit in the name.
  createServer(context, () => {}, { handshakeTimeout: 5 })
  const guard: ConnectionGuard = { opened: () => ({ accept: true }) }
  createServer(context, () => {}, { guards: [guard] })
}
