// wasat, the library below Rogallo, `known_hosts`: `host:port`, the fingerprint of the certificate, an instant. wasat
// itself writes the instant of saving into every line whenever it saves; it reads neither the instant nor, if they are
// not there, the port and the algorithm.
//
//   example.org:1965 sha256:146a4b27… 2026-11-24T02:10:00.000000+00:00

import { show } from '../../internal/arguments.ts'
import { parseInstant } from '../toml-instant.ts'
import { digestFrom, fieldAt, fieldsBetweenBlanks, hostWith, subjectFrom } from './fields.ts'
import { type HostToWrite, type KnownHost, type LineFormat, Unfit, type WrittenHost } from './known-host.ts'

export const wasat: LineFormat = {
  name: 'wasat',
  program: 'wasat',
  repeats: 'last',
  isWritten: (line) => /^\S+:[0-9]+ sha256:[0-9a-f]{64} [0-9]{4}-[0-9]{2}-[0-9]{2}T\S+$/.test(line),
  read,
  write,
}

function read(line: string): KnownHost {
  const fields = fieldsBetweenBlanks(line)
  const host = fieldAt(fields, 0, 'host')
  const subject = subjectFrom(host, 'all')
  const digest = fieldAt(fields, 1, 'fingerprint')
  const hex = /^(?:sha256:)?([0-9A-Fa-f]{64})$/.exec(digest.text)?.[1]
  if (hex === undefined) {
    throw new Unfit(digest.column, `${show(digest.text)} is not "sha256:" and 64 hex digits`)
  }
  const time = fields[2]
  const lastSeen = time === undefined ? null : parseInstant(time.text)
  if (lastSeen === undefined) throw new Unfit(time?.column ?? 1, `${show(time?.text)} is not an instant`)
  return hostWith({ subject, column: host.column, digest: digestFrom('sha256', hex), lastSeen })
}

function write({ endpoint: { host, port }, sha256, lastSeen }: HostToWrite): WrittenHost {
  if (sha256 === null) return { reason: 'the SHA-256 of its certificate is not known' }
  return { lines: [`${host}:${port} sha256:${sha256} ${lastSeen.toISOString().slice(0, -1)}000+00:00`] }
}
