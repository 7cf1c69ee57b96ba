// Telescope, `known_hosts`: host, with the port unless it is 1965; the fingerprint of the certificate as libtls writes it;
// 1 if the user compared it by another way than the network, 0 if not.
//
//   example.org SHA256:146a4b27… 0

import { show } from '../../internal/arguments.ts'
import { digestFrom, fieldAt, fieldsBetweenBlanks, hostAndOtherPort, hostWith, subjectFrom } from './fields.ts'
import { type HostToWrite, type KnownHost, type LineFormat, Unfit, type WrittenHost } from './known-host.ts'

export const telescope: LineFormat = {
  name: 'telescope',
  program: 'Telescope',
  repeats: 'last',
  isWritten: (line) => /^\S+ SHA256:[0-9a-f]{64} [01]$/.test(line),
  read,
  write,
}

function read(line: string): KnownHost {
  const fields = fieldsBetweenBlanks(line)
  const host = fieldAt(fields, 0, 'host')
  const subject = subjectFrom(host, 'others')
  const digest = fieldAt(fields, 1, 'fingerprint')
  if (!/^SHA256:[0-9a-f]{64}$/.test(digest.text)) {
    throw new Unfit(digest.column, `${show(digest.text)} is not "SHA256:" and 64 lower-case hex digits`)
  }
  const flag = fieldAt(fields, 2, 'flag 0 or 1')
  if (flag.text !== '0' && flag.text !== '1') throw new Unfit(flag.column, `the flag is ${show(flag.text)}, not 0 or 1`)
  if (fields.length > 3) throw new Unfit(fields[3]?.column ?? 1, 'there are more than three fields')
  return hostWith({
    subject,
    column: host.column,
    digest: digestFrom('sha256', digest.text.slice('SHA256:'.length)),
    state: flag.text === '1' ? 'verified' : 'trusted',
  })
}

function write({ endpoint, sha256, isVerified }: HostToWrite): WrittenHost {
  if (sha256 === null) return { reason: 'the SHA-256 of its certificate is not known' }
  return { lines: [`${hostAndOtherPort(endpoint)} SHA256:${sha256} ${isVerified ? 1 : 0}`] }
}
