// Lagrange, `trusted.2.txt`: `host;port`, the end of the certificate in seconds since 1970, SHA-256 of the public key.
//
//   example.org;1965 2110846073 d9a58b8f…
//
// The older `trusted.txt` looks nearly the same, without the port, and holds hashes of whole certificates.

import { show } from '../../internal/arguments.ts'
import { portFrom } from '../../names/endpoint.ts'
import { dateFromSeconds, digestFrom, fieldAt, fieldsBetweenSpaces, hostWith, subjectOf } from './fields.ts'
import { type HostToWrite, type KnownHost, type LineFormat, Unfit, type WrittenHost } from './known-host.ts'

export const lagrange: LineFormat = {
  name: 'lagrange',
  program: 'Lagrange',
  repeats: 'last',
  isWritten: (line) => /^[^\s;]+;[0-9]+ [0-9]+ [0-9a-f]{64}$/.test(line),
  read,
  write,
}

function read(line: string): KnownHost {
  const fields = fieldsBetweenSpaces(line)
  const key = fieldAt(fields, 0, 'host')
  const semicolon = key.text.lastIndexOf(';')
  if (semicolon < 0) {
    const message = `${show(key.text)} has no ";port"; it may be of Lagrange's older trusted.txt, with other hashes`
    throw new Unfit(1, message)
  }
  const port = portFrom(key.text.slice(semicolon + 1))
  if (port === null) throw new Unfit(semicolon + 2, `${show(key.text)} has no port from 1 to 65535`)
  const subject = subjectOf({ text: key.text.slice(0, semicolon), column: 1 }, port)

  const notAfter = dateFromSeconds(fieldAt(fields, 1, 'end of the certificate'))
  const digest = fieldAt(fields, 2, 'fingerprint')
  // Lagrange itself does not find capital letters.
  if (!/^[0-9a-f]{64}$/.test(digest.text)) {
    throw new Unfit(digest.column, `${show(digest.text)} is not a SHA-256 of 64 lower-case hex digits`)
  }
  if (fields.length > 3) throw new Unfit(fields[3]?.column ?? 1, 'there are more than three fields')
  return hostWith({ subject, column: 1, digest: digestFrom('spki-sha256', digest.text), notAfter })
}

function write({ endpoint, key, notAfter }: HostToWrite): WrittenHost {
  if (key === null) return { reason: 'the fingerprint of its public key is not known; it will be after a visit' }
  // With a date in the past Lagrange would take any certificate in its place, and with an invented one for ever none.
  if (notAfter === null) return { reason: 'the end of its certificate is not known' }
  return { lines: [`${endpoint.host};${endpoint.port} ${Math.floor(notAfter.getTime() / 1000)} ${key}`] }
}
