// go-gemini by adnano, `known_hosts`: host, `sha256`, the fingerprint of the certificate in base64. A port that is not
// part of the host is not remembered. Of several lines for a host the last one counts.
//
//   example.org sha256 FGpLJ3GyogDwWNDlFrr2+CTxkT8QUK0tcRGFgmUzolc=

import { parseFingerprint } from '../../certificate/fingerprint.ts'
import { show } from '../../internal/arguments.ts'
import { fieldAt, fieldsBetweenSpaces, GEMINI_PORT, hostWith, subjectFrom } from './fields.ts'
import { type HostToWrite, type KnownHost, type LineFormat, Unfit, type WrittenHost } from './known-host.ts'

export const goGemini: LineFormat = {
  name: 'go-gemini',
  program: 'go-gemini',
  repeats: 'last',
  isWritten: (line) => /^\S+ sha256 [A-Za-z0-9+/]{43}=$/.test(line),
  read,
  write,
}

function read(line: string): KnownHost {
  const fields = fieldsBetweenSpaces(line)
  const subject = subjectFrom(fieldAt(fields, 0, 'host'), 'others')
  const algorithm = fieldAt(fields, 1, 'algorithm')
  if (algorithm.text !== 'sha256') {
    throw new Unfit(algorithm.column, `the algorithm is ${show(algorithm.text)}; go-gemini knows sha256 only`)
  }
  const digest = fieldAt(fields, 2, 'fingerprint')
  if (!isBase64OfSha256(digest.text)) {
    throw new Unfit(digest.column, `${show(digest.text)} is not a SHA-256 in base64`)
  }
  if (fields.length > 3) throw new Unfit(fields[3]?.column ?? 1, 'there are more than three fields')
  return hostWith({ subject, column: 1, digest: parseFingerprint(`sha256:${digest.text}`) })
}

/** Whether this is how 32 octets are written in base64, and not another spelling of them with bits to spare. */
export function isBase64OfSha256(text: string): boolean {
  return /^[A-Za-z0-9+/]{43}=$/.test(text) && Buffer.from(text, 'base64').toString('base64') === text
}

function write({ endpoint, sha256 }: HostToWrite): WrittenHost {
  if (endpoint.port !== GEMINI_PORT) return { reason: 'go-gemini remembers no port, and this is not 1965' }
  if (sha256 === null) return { reason: 'the SHA-256 of its certificate is not known' }
  return { lines: [`${endpoint.host} sha256 ${Buffer.from(sha256, 'hex').toString('base64')}`] }
}
