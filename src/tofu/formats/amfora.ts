// Amfora, `tofu.toml`: two keys for a server, one with SHA-256 of its public key, one with the end of its certificate. In
// keys the dots of the host are slashes, and a port other than 1965 stands at the end.
//
//   'example/org' = 'D9A58B8F…'
//   'example/org/expiry' = 2036-11-21T02:07:53Z
//   'example/org/expiry:1966' = …
//
// Amfora 1.0.0 hashed the whole certificate and did not say so, and later releases accept both. So the digits are taken
// for either: no certificate has the hash of a key, nor the other way round, and thus only the right one can ever match.
//
// A host may end in the label `expiry`. Whether a value is a date or digits tells the two apart.

import { show } from '../../internal/arguments.ts'
import { parseInstant } from '../toml-instant.ts'
import { digestFrom, type Field, hostAndOtherPort, hostWith, subjectFrom } from './fields.ts'
import { readTableName, readTomlLine } from './flat-toml.ts'
import { type HostToWrite, type LineFormat, type LineReading, Unfit, type WrittenHost } from './known-host.ts'

export const amfora: LineFormat = {
  name: 'amfora',
  program: 'Amfora',
  // The file is no TOML then, or Amfora looks up one of the two by chance.
  repeats: 'refused',
  isWritten: (line) =>
    /^(?:'[^'."]+'|"[^'."]+"|[A-Za-z0-9_-]+) = (?:'[0-9A-F]{64}'|"[0-9A-F]{64}"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z)$/.test(
      line,
    ),
  read,
  write,
}

function read(line: string, section: string): LineReading {
  const name = readTableName(line)
  if (name !== null) return { kind: 'section', name }
  if (section !== '') throw new Unfit(1, `this is in the table ${show(section)}, and Amfora has no tables`)
  const { key, value, isText } = readTomlLine(line)
  if (isText && /^[0-9A-Fa-f]{64}$/.test(value.text)) {
    return hostWith({
      subject: subjectOfKey(key),
      column: key.column,
      digest: digestFrom('spki-sha256', value.text),
      otherDigest: digestFrom('sha256', value.text),
    })
  }
  const server = /^(.+)\/expiry(:[0-9]+)?$/i.exec(key.text)
  if (server === null) throw new Unfit(value.column, `${show(value.text)} is not a SHA-256 of 64 hex digits`)
  const notAfter = parseInstant(value.text)
  if (notAfter === undefined) throw new Unfit(value.column, `${show(value.text)} is not an instant`)
  const subject = subjectOfKey({ text: `${server[1]}${server[2] ?? ''}`, column: key.column })
  return { kind: 'expiry', subject, column: key.column, notAfter }
}

function subjectOfKey({ text, column }: Field): string {
  if (text.includes('.')) throw new Unfit(column, `${show(text)} has a dot, and Amfora looks for slashes`)
  return subjectFrom({ text: text.replaceAll('/', '.'), column }, 'others')
}

function write({ endpoint, key, either, notAfter }: HostToWrite): WrittenHost {
  const digest = key ?? either
  if (digest === null) return { reason: 'the fingerprint of its public key is not known; it will be after a visit' }
  // Amfora takes a fingerprint without an end for none, and whatever the server shows next for the first visit.
  if (notAfter === null) return { reason: 'the end of its certificate is not known' }
  const [host, port] = splitAtPort(hostAndOtherPort(endpoint).replaceAll('.', '/'), endpoint.port)
  return {
    lines: [
      `'${host}${port}' = '${digest.toUpperCase()}'`,
      `'${host}/expiry${port}' = ${notAfter.toISOString().slice(0, 19)}Z`,
    ],
  }
}

function splitAtPort(text: string, port: number): [string, string] {
  const end = `:${port}`
  return text.endsWith(end) && port !== 1965 ? [text.slice(0, -end.length), end] : [text, '']
}
