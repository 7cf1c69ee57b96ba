// What people write down and others read: lists of addresses, fingerprints on paper, durations, codes, names of users.

import { parseDuration } from '../../../src/authority/duration.ts'
import {
  fingerprintSubject,
  formatFingerprint,
  isFingerprint,
  parseFingerprint,
} from '../../../src/certificate/fingerprint.ts'
import { fingerprintToQrText, parseFingerprintQrText } from '../../../src/certificate/fingerprint-qr.ts'
import { fingerprintToTlsaRecord, parseTlsaRecord } from '../../../src/certificate/fingerprint-tlsa.ts'
import { fingerprintToWords, parseFingerprintWords } from '../../../src/certificate/fingerprint-words.ts'
import { withoutControls } from '../../../src/cli/harmless.ts'
import { AddressListError, IdentityError, InvalidNameError } from '../../../src/errors.ts'
import { LINK_CODE_LENGTH, RECOVERY_CODE_LENGTH, readCode } from '../../../src/identity/registry/code.ts'
import { parseHandle } from '../../../src/identity/registry/handle.ts'
import { show } from '../../../src/internal/arguments.ts'
import { AddressList, parseAddressList } from '../../../src/middleware/address-list.ts'
import { endpointFrom } from '../../../src/names/endpoint.ts'
import { checkMessage, type FuzzTarget, hold, reading, same } from '../engine/target.ts'
import { textOf } from '../engine/text.ts'

const HEX = '146a4b2771b2a200f058d0e516baf6f824f1913f1050ad2d711185826533a257'
const SHA256 = parseFingerprint(`sha256:${HEX}`)
const KEY = parseFingerprint(`spki-sha256:${HEX}`)
const SHA512 = parseFingerprint(`sha512:${HEX}${HEX}`)
const SERVER = endpointFrom('example.org', 1965)

export const fingerprint: FuzzTarget = {
  name: 'fingerprint',
  source: ['certificate/fingerprint.ts'],
  holds: 'what is read is canonical, and is read as itself again and from every style',
  shape: 'text',
  seeds: () =>
    [SHA256, SHA512, KEY].flatMap((each) =>
      // The first byte says of what it should be.
      STYLES.flatMap((style) => ['0', '1', '2'].map((of) => of + formatFingerprint(each, style))),
    ),
  words: ['sha256:', 'SHA256:', 'SHA256 Fingerprint=', 'spki-sha256:', 'sha512:', 'SHA-1', ':', '='],
  run(input) {
    const of = ([undefined, 'certificate', 'public-key'] as const)[(input[0] ?? 0) % 3]
    const text = textOf(input.subarray(1))
    return reading(
      () => parseFingerprint(text, of === undefined ? {} : { of }),
      [InvalidNameError],
      (read) => {
        hold(isFingerprint(read), `${read} is canonical`)
        same(parseFingerprint(read), read, 'read again')
        const subject = fingerprintSubject(read)
        if (of !== undefined) same(subject, of, 'what it is of')
        for (const style of ['hex-upper', 'colons', 'base64'] as const) {
          same(parseFingerprint(formatFingerprint(read, style), { of: subject }), read, `written as ${style}`)
        }
      },
    )
  },
}

const STYLES = ['canonical', 'hex', 'colons', 'prefixed-upper', 'labelled', 'openssl', 'base64', 'base64url-unpadded', 'openssh'] as const // biome-ignore format: one list

export const fingerprintWords: FuzzTarget = {
  name: 'fingerprint-words',
  source: ['certificate/fingerprint-words.ts'],
  holds: 'what is read is a fingerprint, and its own words are read as it',
  shape: 'text',
  seeds: () => [fingerprintToWords(SHA256), fingerprintToWords(KEY).toLowerCase().replaceAll(' ', ', ')],
  words: ['certificate', 'key', 'aardvark', 'Adroitness', 'Yucatan', ' ', '-', '\n'],
  run(input) {
    const text = textOf(input)
    return reading(
      () => parseFingerprintWords(text),
      [InvalidNameError],
      (read) => {
        hold(isFingerprint(read), `${read} is canonical`)
        same(parseFingerprintWords(fingerprintToWords(read)), read, 'its own words')
      },
    )
  },
}

export const fingerprintQr: FuzzTarget = {
  name: 'fingerprint-qr',
  source: ['certificate/fingerprint-qr.ts', 'certificate/published-fingerprint.ts'],
  holds: 'what is read is an endpoint and a fingerprint, and what is written of them is read as both',
  shape: 'text',
  seeds: () => [fingerprintToQrText(SERVER, SHA256), fingerprintToQrText(endpointFrom('::1', 1), KEY).toLowerCase()],
  run(input) {
    const text = textOf(input)
    return reading(
      () => parseFingerprintQrText(text),
      [InvalidNameError],
      ({ endpoint, fingerprint: read }) => {
        hold(isFingerprint(read), `${read} is canonical`)
        const again = parseFingerprintQrText(fingerprintToQrText(endpoint, read))
        hold(again.endpoint.equals(endpoint) && again.fingerprint === read, 'read again')
      },
    )
  },
}

export const fingerprintTlsa: FuzzTarget = {
  name: 'fingerprint-tlsa',
  source: ['certificate/fingerprint-tlsa.ts', 'certificate/published-fingerprint.ts'],
  holds: 'what is read is an endpoint and a fingerprint, and what is written of them is read as both',
  shape: 'text',
  seeds: () => [
    fingerprintToTlsaRecord(SERVER, SHA256),
    fingerprintToTlsaRecord(SERVER, KEY, { ttlSeconds: 3600 }),
    `_300._tcp.example.org. IN TLSA 3 0 1 (${HEX.slice(0, 20)} ; half\n ${HEX.slice(20)})`,
  ],
  words: ['_1965._tcp.', 'IN', 'TLSA', '3 1 1', '3 0 1', '(', ')', ';', '"', '\\', '\\#'],
  run(input) {
    const text = textOf(input)
    return reading(
      () => parseTlsaRecord(text),
      [InvalidNameError],
      ({ endpoint, fingerprint: read }) => {
        hold(isFingerprint(read), `${read} is canonical`)
        const again = parseTlsaRecord(fingerprintToTlsaRecord(endpoint, read))
        hold(again.endpoint.equals(endpoint) && again.fingerprint === read, 'read again')
      },
    )
  },
}

export const addressList: FuzzTarget = {
  name: 'address-list',
  source: ['middleware/address-list.ts', 'names/address-span.ts'],
  holds:
    'a list of as many entries as its lines have, or problems with places in it; comments and line ends make no difference',
  shape: 'lines',
  seeds: () => [
    '# a list\n192.0.2.0/24 ; a network\n2001:db8::1 - 2001:db8::9\n\n198.51.100.7\r\n',
    '\ufeff10.0.0.0/8\n::/0\n',
    '192.0.2.1-192.0.2.9\n',
  ],
  words: ['#', ';', '/24', ' - ', '-', '::', '\r\n', '\ufeff'],
  run(input) {
    const text = textOf(input)
    try {
      const list = parseAddressList(text)
      hold(AddressList.is(list), 'is a list')
      const entries = text
        .split('\n')
        .map((line) => line.replace(/^\ufeff|[#;].*/gs, '').trim())
        .filter((line) => line !== '')
      same(list.size, entries.length, 'the entries')
      same(parseAddressList(`${entries.join('\r\n')} # end`).size, list.size, 'the entries alone')
      return 'read'
    } catch (error) {
      if (!(error instanceof AddressListError)) throw error
      const lines = text.split('\n')
      for (const { line, column, message } of error.problems) {
        hold(line >= 1 && line <= lines.length, `line ${line}`)
        hold(column >= 1 && column <= (lines[line - 1]?.length ?? 0) + 1, `column ${column}`)
        checkMessage(message)
      }
      checkMessage(error.message)
      return error.code
    }
  },
}

export const duration: FuzzTarget = {
  name: 'duration',
  source: ['authority/duration.ts'],
  holds: 'read exactly if it has the form, and then it ends later than it begins; a `RangeError` otherwise',
  shape: 'text',
  seeds: () => ['10y', '90d', '12h', '3600s', '5', '9999999999s'],
  words: ['y', 'd', 'h', 's', '0', '-1', '1e3', ' '],
  maxBytes: 60,
  outcomes: ['read', 'beyond the year 9999'],
  run(input) {
    const text = textOf(input)
    const start = new Date('2030-06-01T12:00:00Z')
    try {
      const read = parseDuration(text)
      hold(/^[1-9][0-9]{0,9}[ydhs]?$/.test(text), `${JSON.stringify(text)} is no duration`)
      try {
        const end = read.from(start)
        hold(end.getTime() > start.getTime() && end.getUTCFullYear() <= 9999, `ends ${end.getTime()}`)
        return 'read'
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
        return 'beyond the year 9999'
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      checkMessage(error.message)
      hold(!/^[1-9][0-9]{0,9}[ydhs]?$/.test(text), `${JSON.stringify(text)} is a duration`)
      return 'refused'
    }
  },
}

export const linkCode: FuzzTarget = {
  name: 'link-code',
  source: ['identity/registry/code.ts'],
  holds: 'in its alphabet and of its length, and read as itself again; or none',
  shape: 'text',
  seeds: () => ['0123456789', 'abcde-fghjk', 'O1L23 45678', '0123456789ABCDEFGHJK', '01234-56789-ABCDE-FGHJK'],
  maxBytes: 80,
  run(input) {
    const text = textOf(input)
    let outcome = 'none'
    for (const length of [LINK_CODE_LENGTH, RECOVERY_CODE_LENGTH]) {
      const code = readCode(text, length)
      if (code === null) continue
      hold(/^[0-9A-HJKMNP-TV-Z]+$/.test(code) && code.length === length, `the code ${code}`)
      same(readCode(code, length), code, 'read again')
      outcome = 'read'
    }
    return outcome
  },
}

export const handle: FuzzTarget = {
  name: 'handle',
  source: ['identity/registry/handle.ts'],
  holds: 'shown in one form, on one line, which is read as itself; the same in every case and normal form',
  shape: 'text',
  seeds: () => [
    'Ana',
    'ＡＮＡ',
    'josé.maría',
    'Иван',
    'αβγ',
    '山田_ひろ',
    'straße',
    'İstanbul',
    'ﬁ',
    'a-b_c.d',
    'ᾳ',
    'ς',
    'ʼn',
  ],
  words: [
    '\u0301',
    '\u0345',
    '\u0307',
    '\u1e9e',
    '\u212a',
    '\u03c2',
    '\u0131',
    '\uff21',
    '\ufb01',
    '\u0149',
    '\u01f0',
    '\u1fb3',
  ],
  maxBytes: 120,
  run(input) {
    const text = textOf(input)
    return reading(
      () => parseHandle(text),
      [IdentityError],
      (read) => {
        hold(/^[\p{L}\p{M}0-9._-]{1,32}$/u.test(read.shown), `shown as ${JSON.stringify(read.shown)}`)
        for (const form of [read.shown, read.shown.normalize('NFD'), read.shown.normalize('NFKD')]) {
          const again = parseHandle(form)
          same(again.shown, read.shown, 'shown again')
          same(again.skeleton, read.skeleton, 'its skeleton')
        }
        let upper: string
        try {
          upper = parseHandle(read.shown.toUpperCase()).skeleton
        } catch {
          // In capitals some are longer than a handle may be.
          return
        }
        same(upper, read.skeleton, 'the skeleton in capitals')
      },
    )
  },
}

export const terminalText: FuzzTarget = {
  name: 'terminal-text',
  source: ['cli/harmless.ts', 'internal/arguments.ts'],
  holds: 'what is printed steers no terminal, and printed again stays as it is',
  shape: 'text',
  seeds: () => ['plain', '\u001b[31mred', 'a\u202eb', 'tab\tand\r\nline', '\ufeff\u2028', 'é\u0301'],
  run(input) {
    const text = textOf(input)
    const shown = withoutControls(text)
    hold(!/[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/.test(shown), `shows ${JSON.stringify(shown)}`)
    same(withoutControls(shown), shown, 'shown again')
    const quoted = show(text)
    checkMessage(quoted)
    hold(quoted.length <= 520, `shows ${quoted.length} characters`)
    if (text.length <= 80) same(JSON.parse(quoted), text, 'what was quoted')
    return shown === text ? 'read' : 'made harmless'
  },
}
