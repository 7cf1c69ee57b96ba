// Bombadillo, `.bombadillo.ini`: in the section CERTS, SHA-1 of certificates by host.
//
//   [CERTS]
//   example.org=2F:AB:7D:…|2110846073
//
// Two certificates with one SHA-1 can be made, so that it is never compared here (RFC 9155), and nothing longer can be
// computed from it. An import is read to its end and every entry reported: there is nothing in it that could be kept and
// would mean anything. Whoever wants to keep such trust has to visit the servers.

import { type LineFormat, type LineReading, Unfit } from './known-host.ts'

export const bombadillo: LineFormat = {
  name: 'bombadillo',
  program: 'Bombadillo',
  repeats: 'last',
  isWritten: (line) => /^\[CERTS\]$/i.test(line),
  read,
}

function read(line: string, section: string): LineReading {
  const name = /^[ \t]*\[([^\]]*)\]/.exec(line)?.[1]
  if (name !== undefined) return { kind: 'section', name: name.trim().toUpperCase() }
  // The other sections are settings and bookmarks.
  if (section !== 'CERTS') return { kind: 'nothing' }
  const column = line.indexOf('=') + 2
  throw new Unfit(column, 'Bombadillo keeps SHA-1, which does not tell certificates apart; visit the server again')
}
