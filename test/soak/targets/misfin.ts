// The example Misfin server, with one mailbox that writes to itself.

import { createMailbox, createMailServer, openMailHost } from '../../../docs/examples/misfin-server.ts'
import { prepareVisitors } from './site.ts'
import type { Exchange, Target } from './target.ts'

const TAKEN = /^20 [0-9a-f:]{32,}\r\n$/i
const to = (rest: string): string => `misfin://bob@localhost${rest}`
const wrong = (name: string, request: string, answer: RegExp): Exchange => ({
  name,
  request,
  answer,
  visitor: 'member',
})

export const misfin: Target = {
  script: {
    tls: true,
    good: [{ name: 'the fingerprint', visitor: 'member', request: to('\t0\r\n'), answer: TAKEN }],
    identities: [
      { name: 'a message', visitor: 'member', request: to('\t5\r\nHello'), answer: TAKEN },
      { name: 'a message on the line', visitor: 'member', request: to(' Hello\r\n'), answer: TAKEN },
      { name: 'of a stranger', visitor: 'new', request: to(' Hello\r\n'), answer: /^6\d / },
      { name: 'expired', visitor: 'expired', request: to(' Hello\r\n'), answer: /^6\d / },
      { name: 'of 60 KB', visitor: 'odd', request: to(' Hello\r\n'), answer: /^6\d / },
    ],
    hostile: [
      { name: 'from nobody', request: to(' Hello\r\n'), answer: /^60 / },
      wrong('no request', 'Hello!\r\n', /^59 /),
      wrong('an empty line', '\r\n', /^59 /),
      wrong('LF alone', to(' Hello\n'), /^59 /),
      wrong('another host', 'misfin://bob@example.org Hello\r\n', /^53 /),
      wrong('no mailbox', 'misfin://eve@localhost Hello\r\n', /^51 /),
      wrong('too large', to(`\t99999\r\n${'a'.repeat(99_999)}`), /^59 /),
      wrong('a megabyte', to(` ${'a'.repeat(2 ** 20)}`), /^59 /),
    ],
    long: null,
    unfinished: { request: to('\t1000\r\nHel'), timeoutMs: 30_000, visitor: 'member' },
    unwelcome: null,
    beginning: to(' '),
    tooSlow: /^40 the request took too long\r\n$/,
    limited: /^44 \d+\r\n$/,
    bans: false,
    timeouts: { handshakeMs: 10_000, requestMs: 10_000, idleMs: 120_000 },
  },
  expected: [],

  async prepare(folder) {
    await using authority = await openMailHost(folder, 'localhost')
    const { expired, odd } = await prepareVisitors()
    const member = await createMailbox(authority, 'localhost', 'bob', 'Bob')
    return { serverFingerprints: [authority.certificate.fingerprint], identities: { member, expired, odd } }
  },

  async start(folder) {
    const authority = await openMailHost(folder, 'localhost')
    const authorityOf = (host: string) => Promise.reject(new Error(`nobody is at ${host}`))
    const listener = await createMailServer({ folder, host: 'localhost', authority, authorityOf })
    return { listener, close: () => authority.close() }
  },
}
