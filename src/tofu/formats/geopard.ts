// Geopard, `known_hosts`: host, SHA-256 of the certificate. There is no port, and what follows is ignored.
//
//   example.org 146a4b27…

import { show } from '../../internal/arguments.ts'
import { digestFrom, fieldAt, fieldsBetweenBlanks, hostWith, subjectWithoutPort } from './fields.ts'
import { type KnownHost, type LineFormat, Unfit } from './known-host.ts'

export const geopard: LineFormat = {
  name: 'geopard',
  program: 'Geopard',
  repeats: 'last',
  isWritten: (line) => /^[^\s=]+ [0-9a-f]{64}$/.test(line),
  read,
}

function read(line: string): KnownHost {
  const fields = fieldsBetweenBlanks(line)
  const host = fieldAt(fields, 0, 'host')
  const subject = subjectWithoutPort(host)
  const digest = fieldAt(fields, 1, 'fingerprint')
  if (!/^[0-9A-Fa-f]{64}$/.test(digest.text)) {
    throw new Unfit(digest.column, `${show(digest.text)} is not a SHA-256 of 64 hex digits`)
  }
  return hostWith({ subject, column: host.column, digest: digestFrom('sha256', digest.text) })
}
