import { afterEach, describe, expect, it } from 'vitest'
import type { Certificate } from '../../src/certificate/certificate.ts'
import type { PeerCandidate, PeerVerifier } from '../../src/certificate/peer-verifier.ts'
import type { RevocationChecker, RevocationStatus } from '../../src/certificate/revocation-checker.ts'
import { VerificationRefused } from '../../src/errors.ts'
import { parseEndpoint } from '../../src/names/endpoint.ts'
import type { Listener } from '../../src/net/listener.ts'
import { AlertCode } from '../../src/tls/alert.ts'
import { refuseRevoked } from '../../src/tls/refuse-revoked.ts'
import type { VerifyCallback } from '../../src/tls/sans-io/connection-sink.ts'
import { createSecureServer } from '../../src/tls/secure-server.ts'
import type { ServerEvent } from '../../src/tls/server.ts'
import { authorities } from '../../src/tls/verifiers/authorities.ts'
import { anyOf } from '../../src/tls/verifiers/combined.ts'
import { issue } from '../support/issued-certificates.ts'
import { clients, nodeIdentity, only, serverTls, VERSIONS } from '../support/sans-io-world.ts'
import { visit } from '../support/tls-clients.ts'

const at = new Date('2030-05-01T00:00:00Z')
const GOOD: RevocationStatus = { kind: 'good' }
const NOT_OURS: RevocationStatus = { kind: 'not_ours' }
const REVOKED: RevocationStatus = { kind: 'revoked', reason: 'unspecified', at }
const HELD: RevocationStatus = { kind: 'held', at }
const UNKNOWN: RevocationStatus = { kind: 'unknown' }

/** A checker that gives these answers by fingerprint, and `not_ours` about everybody else. */
function knowing(answers: readonly (readonly [Certificate, unknown])[], later = false): RevocationChecker {
  const known = new Map(answers.map(([certificate, answer]) => [certificate.fingerprint, answer as RevocationStatus]))
  return {
    revocationOf: (certificate) => {
      const answer = known.has(certificate.fingerprint) ? known.get(certificate.fingerprint) : NOT_OURS
      return later ? Promise.resolve(answer as RevocationStatus) : (answer as RevocationStatus)
    },
  }
}

describe.each(VERSIONS)('a server that refuses who was revoked, over %s', (version) => {
  const servers: Listener[] = []
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close({ graceMs: 0 })))
  })

  async function serve(checker: RevocationChecker): Promise<{ port: number; events: ServerEvent[] }> {
    const events: ServerEvent[] = []
    const server = createSecureServer(
      serverTls({ clientCertificates: 'request' }),
      ({ stream, peer }) => stream.end(peer?.fingerprint ?? 'nobody'),
      { verify: refuseRevoked(checker), onEvent: (event) => events.push(event) },
    )
    servers.push(server)
    return { port: (await server.listen(0, '127.0.0.1')).port, events }
  }

  it.each([
    ['good', GOOD],
    ['of somebody else', NOT_OURS],
  ])('lets in a client whose certificate is %s, and one without', async (_what, answer) => {
    const { port } = await serve(knowing([[clients.leaf.certificate, answer]]))
    expect(await visit(port, { ...only(version), ...nodeIdentity })).toMatchObject({
      text: clients.leaf.certificate.fingerprint,
      error: null,
    })
    expect(await visit(port, only(version))).toMatchObject({ text: 'nobody', error: null })
  })

  it.each([
    ['revoked', REVOKED, AlertCode.certificate_revoked, /^the certificate with the serial number \w+ was revoked$/],
    ['on hold', HELD, AlertCode.certificate_revoked, / is on hold$/],
    ['unknown', UNKNOWN, AlertCode.certificate_unknown, / is not known to "CN=chapter", which it names as its issuer$/],
    ['answered by a bare word', 'good', AlertCode.internal_error, /must answer an object/],
  ])('refuses one whose certificate is %s by an alert', async (_what, answer, alert, message) => {
    for (const later of [false, true]) {
      const { port, events } = await serve(knowing([[clients.leaf.certificate, answer]], later))
      expect(await visit(port, { ...only(version), ...nodeIdentity })).toMatchObject({ text: '', alert })
      expect(events).toMatchObject([{ kind: 'handshake_failed', reason: 'refused' }])
      expect(String(events.map((event) => ('error' in event ? event.error?.message : null)))).toMatch(message)
    }
  })

  it('refuses one whose authority was revoked', async () => {
    const { port } = await serve(knowing([[clients.middle.certificate, REVOKED]]))
    expect(await visit(port, { ...only(version), ...nodeIdentity })).toMatchObject({ text: '', alert: 44 })
  })

  it('refuses everybody with a certificate while it cannot be known', async () => {
    const { port } = await serve({ revocationOf: () => Promise.reject(new Error('the disk is full')) })
    expect(await visit(port, { ...only(version), ...nodeIdentity })).toMatchObject({
      text: '',
      alert: AlertCode.internal_error,
    })
    expect(await visit(port, only(version))).toMatchObject({ text: 'nobody' })
  })
})

describe('refuseRevoked', () => {
  const ask = (verify: VerifyCallback, ...chain: Certificate[]): unknown => verify(chain, undefined as never)

  it('decides at once if the checker does', () => {
    const verify = refuseRevoked(knowing([[clients.leaf.certificate, REVOKED]]))
    expect(ask(verify, clients.root.certificate)).toBeUndefined()
    expect(() => ask(verify, clients.leaf.certificate)).toThrow(VerificationRefused)
  })

  it('asks about all of a chain, the late answers too', async () => {
    for (const [index, odd] of [clients.leaf, clients.middle, clients.root].entries()) {
      const verify = refuseRevoked(knowing([[odd.certificate, UNKNOWN]], index % 2 === 1))
      const chain = [clients.leaf, clients.middle, clients.root].map(({ certificate }) => certificate)
      await expect((async () => ask(verify, ...chain))()).rejects.toMatchObject({ alert: 46 })
    }
  })

  it.each([null, undefined, {}, 'checker', () => GOOD])('cannot be made of %o', (checker) => {
    expect(() => refuseRevoked(checker as never)).toThrow(TypeError)
  })
})

describe('authorities that ask who was revoked', () => {
  const root = issue({ subject: 'root', ca: true })
  const middle = issue({ subject: 'middle', by: root, ca: true })
  const leaf = issue({ by: middle, names: [[2, 'example.org']] })

  function candidate(...chain: { readonly certificate: Certificate }[]): PeerCandidate {
    const [first = leaf.certificate, ...rest] = chain.map(({ certificate }) => certificate)
    return {
      endpoint: parseEndpoint('example.org:1965'),
      certificate: first,
      chain: [first, ...rest],
      protocol: 'TLSv1.3',
      signal: new AbortController().signal,
    }
  }

  const trusting = (revocation: RevocationChecker, trusted = root): PeerVerifier =>
    authorities([trusted.certificate], { revocation })

  it.each([
    [GOOD, { accept: true, ground: 'authorities' }],
    [NOT_OURS, { accept: true, ground: 'authorities' }],
    [REVOKED, { accept: false, reason: 'revoked', alert: 44 }],
    [HELD, { accept: false, reason: 'held', alert: 44 }],
    [UNKNOWN, { accept: false, reason: 'unknown_to_authority', alert: 46 }],
  ])('make of %o about any member of the path: %o', async (answer, decision) => {
    for (const { certificate } of [leaf, middle]) {
      expect(trusting(knowing([[certificate, answer]])).verify(candidate(leaf, middle))).toMatchObject(decision)
      expect(await trusting(knowing([[certificate, answer]], true)).verify(candidate(leaf, middle))).toMatchObject(
        decision,
      )
    }
  })

  it('do not ask about the one who is trusted, nor about certificates that are not part of the path', () => {
    const other = issue({ subject: 'other', ca: true })
    const checker = knowing([
      [root.certificate, UNKNOWN],
      [other.certificate, REVOKED],
    ])
    expect(trusting(checker).verify(candidate(leaf, middle, other, root))).toMatchObject({ accept: true })
  })

  it('ask about a certificate that is trusted to stand for itself', () => {
    const alone = issue({ names: [[2, 'example.org']] })
    expect(trusting(knowing([[alone.certificate, REVOKED]]), alone).verify(candidate(alone))).toMatchObject({
      accept: false,
      reason: 'revoked',
    })
  })

  it('refuse what is revoked only if it would be accepted otherwise, with the reason that came first', () => {
    const elsewhere = issue({ by: middle, names: [[2, 'example.net']] })
    const checker = knowing([[elsewhere.certificate, REVOKED]])
    expect(trusting(checker).verify(candidate(elsewhere, middle))).toMatchObject({ reason: 'wrong_hostname' })
  })

  it('refuse when nobody can tell', async () => {
    const failing: RevocationChecker = {
      revocationOf: () => {
        throw new Error('the list is out of date')
      },
    }
    expect(await anyOf(trusting(failing)).verify(candidate(leaf, middle))).toMatchObject({
      accept: false,
      reason: 'verifier_failed',
    })
  })

  it.each([null, {}, 'list'])('cannot be made with %o for a checker', (revocation) => {
    expect(() => trusting(revocation as never)).toThrow(/^"revocation" expected an object with a method revocationOf/)
  })
})
