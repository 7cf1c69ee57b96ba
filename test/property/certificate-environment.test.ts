import fc from 'fast-check'
import { expect, it } from 'vitest'
import { certificateEnvironment, scriptEnvironment } from '../../src/certificate/certificate-environment.ts'
import { crafted, name, sequence } from '../support/crafted-certificates.ts'
import { fakePeer } from '../support/peer.ts'

// Whatever a stranger writes into a certificate: no value can end, hide or forge another one, and a name that is passed on
// is the name that stands there.

const hostile = fc.constantFrom(
  '\0',
  '\n',
  '\r',
  '\u001b',
  '\u009b',
  '\u2028',
  '\u202e',
  '=',
  ';',
  'a',
  'ü',
  '\u{1f469}',
)
const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.array(hostile, { maxLength: 10 }).map((list) => list.join('')),
  fc.nat({ max: 3000 }).map((length) => 'x'.repeat(length)),
)
/** What stands in the certificate if it is written in UTF-8: halves of surrogate pairs cannot be. */
const written = (text: string): string => Buffer.from(text).toString()

it('passes on a name as it is or not at all', () => {
  fc.assert(
    fc.property(texts, texts, fc.constantFrom('common_name', 'subject'), (subject, issuer, remoteUser) => {
      const peer = fakePeer(crafted({ subject: name(subject), issuer: name(issuer) }))
      const env = certificateEnvironment(peer, { remoteUser })
      const values = Object.values(env).filter((value) => value !== undefined)
      for (const value of values) {
        expect(value).not.toMatch(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u)
        expect(value).not.toBe('')
        expect(Buffer.byteLength(value)).toBeLessThanOrEqual(1024)
      }
      if (remoteUser === 'common_name') expect([undefined, written(subject)]).toContain(env.REMOTE_USER)
      else expect(env.REMOTE_USER).toBe(env.TLS_CLIENT_SUBJECT)
      expect([undefined, peer.certificate.issuer.toString()]).toContain(env.TLS_CLIENT_ISSUER)
      expect(env).toMatchObject({ AUTH_TYPE: 'CERTIFICATE', TLS_CLIENT_AUTHORISED: '0' })
    }),
    { numRuns: 1000 },
  )
})

it('never throws at a certificate, however it is made', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ maxLength: 40 }), (rubbish, dates) => {
      const peer = fakePeer(crafted({ subject: sequence(rubbish), validity: sequence(dates) }))
      expect(certificateEnvironment(peer).TLS_CLIENT_HASH).toMatch(/^SHA256:[0-9A-F]{64}$/)
    }),
    { numRuns: 1000 },
  )
})

it('leaves nothing of anybody else in the environment of a script', () => {
  const claims = fc.constantFrom(
    'TLS_CLIENT_HASH',
    'TLS_CLIENT_X',
    'SSL_CLIENT_CERT',
    'AUTH_TYPE',
    'REMOTE_USER',
    'REMOTE_IDENT',
  )
  const anyCase = fc
    .tuple(claims, fc.infiniteStream(fc.boolean()))
    .map(([claim, upper]) =>
      Array.from(claim, (letter) => (upper.next().value ? letter : letter.toLowerCase())).join(''),
    )
  fc.assert(
    fc.property(fc.array(anyCase), texts, (names, subject) => {
      const base = { PATH: '/bin', ...Object.fromEntries(names.map((each) => [each, 'stale'])) }
      expect(scriptEnvironment(base, null)).toEqual({ PATH: '/bin' })
      const peer = fakePeer(crafted({ subject: name(subject === 'stale' ? 'x' : subject) }))
      expect(Object.values(scriptEnvironment(base, peer))).not.toContain('stale')
    }),
  )
})
