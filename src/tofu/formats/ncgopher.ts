// ncgopher, `known_hosts`: TOML with one table, of SHA-256 of certificates in base64 by host or `host:port`.
//
//   [certificate]
//   "example.org" = "FGpLJ3GyogDwWNDlFrr2+CTxkT8QUK0tcRGFgmUzolc="

import { parseFingerprint } from '../../certificate/fingerprint.ts'
import { show } from '../../internal/arguments.ts'
import { hostWith, subjectFrom } from './fields.ts'
import { readTableName, readTomlLine } from './flat-toml.ts'
import { isBase64OfSha256 } from './go-gemini.ts'
import { type LineFormat, type LineReading, Unfit } from './known-host.ts'

export const ncgopher: LineFormat = {
  name: 'ncgopher',
  program: 'ncgopher',
  repeats: 'refused',
  isWritten: (line) => line === '[certificate]',
  read,
}

function read(line: string, section: string): LineReading {
  const name = readTableName(line)
  if (name !== null) return { kind: 'section', name }
  if (section !== 'certificate') throw new Unfit(1, 'this is not in the table [certificate]')
  const { key, value } = readTomlLine(line)
  const subject = subjectFrom(key, 'others')
  if (!isBase64OfSha256(value.text)) throw new Unfit(value.column, `${show(value.text)} is not a SHA-256 in base64`)
  return hostWith({ subject, column: key.column, digest: parseFingerprint(`sha256:${value.text}`) })
}
