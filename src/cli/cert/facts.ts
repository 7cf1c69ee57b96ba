// A certificate as data and as lines for people. Everything in a certificate is of somebody else's choosing, so what is
// printed is escaped.

import { type Certificate, type Fingerprint, formatFingerprint, getCertificateInfo } from '../../certificate/index.ts'
import { escapeText } from '../../logging/safe-text.ts'
import type { CliIo } from '../io.ts'
import { counted } from '../options.ts'
import { facts } from '../table.ts'

const DAY_MS = 86_400_000

/** Everything there is to know, as plain data. */
export function dataOf(certificate: Certificate, at: Date) {
  return {
    ...getCertificateInfo(certificate, { at }),
    keyUsage: certificate.keyUsage,
    extendedKeyUsage: certificate.extendedKeyUsage,
    pathLength: certificate.pathLength,
    extensions: certificate.extensions.map(({ oid, critical }) => ({ oid, critical })),
    spellings: spellingsOf(certificate.fingerprint),
  }
}

/** One fingerprint as programs show it. */
export function spellingsOf(fingerprint: Fingerprint): Record<string, string> {
  return Object.fromEntries(
    (['hex', 'colons', 'base64', 'openssh', 'openssl'] as const).map((style) => [
      style,
      formatFingerprint(fingerprint, style),
    ]),
  )
}

/** Everything there is to know, one fact a line. */
export function linesOf(io: CliIo, certificate: Certificate, at: Date): string {
  const { keyUsage, extendedKeyUsage, pathLength, isCA } = certificate
  const info = getCertificateInfo(certificate, { at })
  const purposes = [...(keyUsage ?? []), ...(extendedKeyUsage ?? [])]
  const authority = isCA
    ? `yes${pathLength === null ? '' : `, at most ${counted(pathLength, 'level')} below it`}`
    : 'no'
  return facts(io, [
    ['Subject', orNone(info.subject)],
    ['Issuer', info.isSelfIssued ? 'the same' : orNone(info.issuer)],
    ['Names', orNone(namesOf(certificate).join(', '))],
    ['Valid from', info.notBefore.toISOString()],
    ['Valid until', `${info.notAfter.toISOString()} (${timeLeft(certificate, at)})`],
    ['Key', keyOf(certificate)],
    ['Signature', info.signatureAlgorithm],
    ['For', purposes.length === 0 ? 'anything' : escapeText(purposes.join(', '))],
    ['Authority', authority],
    ['Serial number', info.serialNumber],
    ['Version', String(info.version)],
    ['SHA-256', info.fingerprints.sha256],
    ['  by colons', formatFingerprint(info.fingerprints.sha256, 'colons')],
    ['  in base64', formatFingerprint(info.fingerprints.sha256, 'base64')],
    ['SHA-512', info.fingerprints.sha512],
    ['Of the key', info.fingerprints.publicKey],
    ['SHA-1', `${info.fingerprints.sha1} (only to compare with old programs)`],
  ])
}

/** Every name that it is for. */
export function namesOf({ subjectAltNames: { dns, ip, email, uri } }: Certificate): string[] {
  return [...dns, ...ip, ...email, ...uri].map(escapeText)
}

function keyOf({ keyType, keyCurve, keySize }: Certificate): string {
  const kind = keyType === 'ec' ? `EC ${keyCurve ?? ''}` : keyType === 'rsa' ? 'RSA' : keyType
  return `${escapeText(kind.trim())}${keySize === null ? '' : `, ${keySize} bits`}`
}

/** How long it is still valid, in words. */
export function timeLeft(certificate: Certificate, at: Date): string {
  const validity = certificate.validityAt(at)
  if (validity === 'not_yet_valid') return 'not yet valid'
  const days = Math.floor(Math.abs(certificate.notAfter.getTime() - at.getTime()) / DAY_MS)
  if (validity === 'expired') return days === 0 ? 'expired today' : `expired ${counted(days, 'day')} ago`
  return days === 0 ? 'valid, for less than a day' : `valid, for ${counted(days, 'more day')}`
}

function orNone(text: string): string {
  return text === '' ? 'none' : escapeText(text)
}
