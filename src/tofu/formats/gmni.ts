// gmni, `known_hosts`: host, `SHA-512`, the fingerprint of the certificate; older releases add its end in seconds since
// 1970. There is no port, so that an entry speaks for port 1965 only. Of several lines for a host the last one counts.
//
//   example.org SHA-512 1E:59:68:…

import { formatFingerprint } from '../../certificate/fingerprint.ts'
import { show } from '../../internal/arguments.ts'
import {
  dateFromSeconds,
  digestFrom,
  fieldAt,
  fieldsBetweenSpaces,
  GEMINI_PORT,
  hostWith,
  subjectWithoutPort,
} from './fields.ts'
import { type HostToWrite, type KnownHost, type LineFormat, Unfit, type WrittenHost } from './known-host.ts'

export const gmni: LineFormat = {
  name: 'gmni',
  program: 'gmni',
  repeats: 'last',
  isWritten: (line) => /^\S+ SHA-512 [0-9A-F]{2}(?::[0-9A-F]{2}){63}(?: [0-9]+)?$/.test(line),
  read,
  write,
}

function read(line: string): KnownHost {
  const fields = fieldsBetweenSpaces(line)
  const subject = subjectWithoutPort(fieldAt(fields, 0, 'host'))
  const algorithm = fieldAt(fields, 1, 'algorithm')
  if (algorithm.text !== 'SHA-512') {
    throw new Unfit(algorithm.column, `the algorithm is ${show(algorithm.text)}; gmni knows SHA-512 only`)
  }
  const digest = fieldAt(fields, 2, 'fingerprint')
  if (!/^[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){63}$/.test(digest.text)) {
    throw new Unfit(digest.column, `${show(digest.text)} is not a SHA-512 of 64 octets with colons between them`)
  }
  const end = fields[3]
  if (fields.length > 4) throw new Unfit(fields[4]?.column ?? 1, 'there are more than four fields')
  const notAfter = end === undefined ? null : dateFromSeconds(end)
  return hostWith({ subject, column: 1, digest: digestFrom('sha512', digest.text.replaceAll(':', '')), notAfter })
}

function write({ endpoint, sha512 }: HostToWrite): WrittenHost {
  if (endpoint.port !== GEMINI_PORT) return { reason: 'gmni remembers no port, and this is not 1965' }
  if (sha512 === null) return { reason: 'the SHA-512 of its certificate is not known; it will be after a visit' }
  return { lines: [`${endpoint.host} ${formatFingerprint(digestFrom('sha512', sha512), 'labelled')}`] }
}
