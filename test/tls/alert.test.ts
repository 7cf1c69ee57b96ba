import { describe, expect, it } from 'vitest'
import type { TLSVersion } from '../../src/certificate/peer.ts'
import { type AlertLevel, InvalidAlertLevel } from '../../src/errors.ts'
import { AlertCode, alertName, alertNameOf, complaint, receivedAlert, resolveAlertLevel } from '../../src/tls/alert.ts'

// As OpenSSL 3.0 and 3.5 word the same alert.
const OLD = new Error(
  'C0BC:error:0A000412:SSL routines:ssl3_read_bytes:sslv3 alert bad certificate:rec.c:1:SSL alert number 42\n',
)
const NEW = new Error(
  'C0BC:error:0A000412:SSL routines:ssl3_read_bytes:ssl/tls alert bad certificate:rec.c:1:SSL alert number 42\n',
)

describe('an alert', () => {
  it.each([OLD, NEW])('is known by its number, however it is worded', (error) => {
    expect(receivedAlert(error)).toBe(42)
  })

  it('is not made of other errors', () => {
    expect(receivedAlert(new Error('read ECONNRESET'))).toBeUndefined()
  })

  it.each([
    { alert: 42, name: 'bad_certificate (42)' },
    { alert: 116, name: 'certificate_required (116)' },
    { alert: 200, name: '200' },
  ])('$alert is called $name', ({ alert, name }) => {
    expect(alertName(alert)).toBe(name)
  })
})

describe('a complaint of OpenSSL', () => {
  it('is its reason where it gives one, and always one line', () => {
    expect(complaint(Object.assign(new Error('C0BC:error:…:\n\n'), { reason: 'wrong version number' }))).toBe(
      'wrong version number',
    )
    expect(complaint(new Error(' two\n\nlines \n'))).toBe('two lines')
  })
})

// The alerts as the standards list them, and what each says about levels. None of it is taken from the library.
const RFC_8446_SECTION_6 = `
  close_notify(0) unexpected_message(10) bad_record_mac(20) record_overflow(22) handshake_failure(40) bad_certificate(42)
  unsupported_certificate(43) certificate_revoked(44) certificate_expired(45) certificate_unknown(46)
  illegal_parameter(47) unknown_ca(48) access_denied(49) decode_error(50) decrypt_error(51) protocol_version(70)
  insufficient_security(71) internal_error(80) inappropriate_fallback(86) user_canceled(90) missing_extension(109)
  unsupported_extension(110) unrecognized_name(112) bad_certificate_status_response(113) unknown_psk_identity(115)
  certificate_required(116) no_application_protocol(120)`
const RFC_5246_SECTION_7_2 = `
  close_notify(0) unexpected_message(10) bad_record_mac(20) decryption_failed(21) record_overflow(22)
  decompression_failure(30) handshake_failure(40) no_certificate(41) bad_certificate(42) unsupported_certificate(43)
  certificate_revoked(44) certificate_expired(45) certificate_unknown(46) illegal_parameter(47) unknown_ca(48)
  access_denied(49) decode_error(50) decrypt_error(51) export_restriction(60) protocol_version(70)
  insufficient_security(71) internal_error(80) user_canceled(90) no_renegotiation(100) unsupported_extension(110)`
const RFC_6066_SECTION_9 = `
  certificate_unobtainable(111) unrecognized_name(112) bad_certificate_status_response(113)
  bad_certificate_hash_value(114)`

function listed(text: string): Record<string, number> {
  const entries = [...text.matchAll(/(\w+)\((\d+)\)/g)].map(([, name = '', code]) => [name, Number(code)])
  return Object.fromEntries(entries)
}

describe('the alert codes', () => {
  it('are those of the standards, by the same names', () => {
    expect({
      ...listed(RFC_5246_SECTION_7_2),
      ...listed(RFC_6066_SECTION_9),
      ...listed(RFC_8446_SECTION_6),
    }).toEqual(AlertCode)
  })

  it('have a name each, and no other number has one', () => {
    const names = Array.from({ length: 256 }, (_, code) => alertNameOf(code))
    expect(Object.fromEntries(names.flatMap((name, code) => (name === null ? [] : [[name, code]])))).toEqual(AlertCode)
    expect([alertNameOf(-1), alertNameOf(256), alertNameOf(42.5), alertNameOf(Number.NaN)]).toEqual([
      null,
      null,
      null,
      null,
    ])
  })

  it('cannot be changed', () => {
    expect(Object.isFrozen(AlertCode)).toBe(true)
  })
})

// RFC 5246 section 7.2.2 (always fatal; always a warning; left open), RFC 6066 sections 3, 5, 6 and 8, RFC 4279, 7301, 7507.
const ALWAYS_FATAL = [10, 20, 21, 22, 30, 40, 47, 48, 49, 50, 51, 60, 70, 71, 80, 86, 109, 110, 113, 114, 115, 116, 120]
const ALWAYS_WARNING = [100]
const USUALLY_WARNING = [0, 90]
const SENDERS_CHOICE = [41, 42, 43, 44, 45, 46, 111, 112]

/** What the standards make of it, or null: not possible. */
function expectedLevel(code: number, level: AlertLevel | undefined, version: TLSVersion | null): AlertLevel | null {
  if (USUALLY_WARNING.includes(code)) return level ?? 'warning'
  const isKnown = [ALWAYS_FATAL, ALWAYS_WARNING, SENDERS_CHOICE].some((list) => list.includes(code))
  if (!isKnown) return level === 'fatal' ? 'fatal' : null
  if (version === 'TLSv1.3' || ALWAYS_FATAL.includes(code)) return level === 'warning' ? null : 'fatal'
  if (ALWAYS_WARNING.includes(code)) return level === 'fatal' ? null : 'warning'
  return level ?? null
}

function resolved(code: number, level: AlertLevel | undefined, version: TLSVersion | null): AlertLevel | null {
  try {
    return resolveAlertLevel(code, level, version)
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidAlertLevel)
    expect(error).toMatchObject({ code: 'ERR_TLACACOCA_ALERT_LEVEL_INVALID' })
    return null
  }
}

describe('the level of an alert', () => {
  it('is sorted by the standards for every number that has a name', () => {
    const sorted = [...ALWAYS_FATAL, ...ALWAYS_WARNING, ...USUALLY_WARNING, ...SENDERS_CHOICE]
    expect(sorted.sort((a, b) => a - b)).toEqual(Object.values(AlertCode))
  })

  describe.each([null, 'TLSv1.2', 'TLSv1.3'] as const)('when the version is %s', (version) => {
    it.each([undefined, 'warning', 'fatal'] as const)('is as the standards say for all 256, asked for %s', (level) => {
      const codes = Array.from({ length: 256 }, (_, code) => code)
      expect(codes.map((code) => [code, resolved(code, level, version)])).toEqual(
        codes.map((code) => [code, expectedLevel(code, level, version)]),
      )
    })
  })

  it.each([
    [
      10,
      'warning',
      null,
      'the alert unexpected_message (10) can only be fatal while no version of TLS is negotiated, not warning',
    ],
    [42, undefined, 'TLSv1.2', 'the alert bad_certificate (42) needs a level in TLS 1.2: warning or fatal'],
    [42, 'warning', 'TLSv1.3', 'the alert bad_certificate (42) can only be fatal in TLS 1.3, not warning'],
    [100, 'fatal', 'TLSv1.2', 'the alert no_renegotiation (100) can only be warning in TLS 1.2, not fatal'],
    [200, undefined, 'TLSv1.3', 'the alert 200 needs a level in TLS 1.3: fatal'],
    [200, 'warning', 'TLSv1.2', 'the alert 200 can only be fatal in TLS 1.2, not warning'],
  ] as const)('of %s as %s in %s is refused with the levels that are possible', (code, level, version, message) => {
    expect(() => resolveAlertLevel(code, level, version)).toThrow(message)
  })

  it.each([-1, 256, 42.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'is a RangeError for %s, which is no alert',
    (code) => {
      expect(() => resolveAlertLevel(code, 'fatal', null)).toThrow(RangeError)
    },
  )

  it.each(['42', null, undefined, 42n])('is a TypeError for %s, which is no number', (code) => {
    expect(() => resolveAlertLevel(code as unknown as number, 'fatal', null)).toThrow(TypeError)
  })

  it.each(['error', 2, null, ''])('is a TypeError if it is %s', (level) => {
    expect(() => resolveAlertLevel(42, level as unknown as AlertLevel, null)).toThrow(TypeError)
  })
})
