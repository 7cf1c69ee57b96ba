// The example Spartan server, which has no TLS.

import { join } from 'node:path'
import { createSpartanServer } from '../../../docs/examples/spartan-server.ts'
import { LONG_BYTES, preparePages } from './site.ts'
import type { Target } from './target.ts'

const HELLO = '2 text/gemini\r\n# Hello\n'
const BAD = '4 this is not a request\r\n'
const LONG = '4 the request is too long\r\n'

export const spartan: Target = {
  script: {
    tls: false,
    good: [
      { name: 'the index', request: 'localhost / 0\r\n', answer: HELLO },
      { name: 'nothing there', request: 'localhost /missing 0\r\n', answer: '4 there is no such page\r\n' },
    ],
    identities: [],
    hostile: [
      { name: 'no request', request: 'Hello!\r\n', answer: BAD },
      { name: 'an empty line', request: '\r\n', answer: BAD },
      { name: 'HTTP', request: 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n', answer: BAD },
      { name: 'TLS', request: Uint8Array.of(22, 3, 1, 0, 5, 1, 0, 0, 1, 0), answer: BAD },
      { name: 'LF alone', request: 'localhost / 0\n', answer: BAD },
      { name: 'no UTF-8', request: Uint8Array.of(0x6c, 0xff, 0x20, 0x2f, 0x20, 0x30, 13, 10), answer: BAD },
      { name: 'out of the folder', request: 'localhost /%2e%2e/key.pem 0\r\n', answer: /^4 / },
      { name: 'another host', request: 'example.org / 0\r\n', answer: '4 this host is not served here\r\n' },
      { name: 'an upload', request: 'localhost / 5\r\nhello', answer: BAD },
      { name: 'a megabyte', request: `localhost /${'a'.repeat(2 ** 20)} 0\r\n`, answer: LONG },
      { name: 'a megabyte without an end', request: 'a'.repeat(2 ** 20), answer: LONG },
    ],
    long: { request: 'localhost /long.txt 0\r\n', answerBytes: '2 text/gemini\r\n'.length + LONG_BYTES },
    unfinished: null,
    unwelcome: null,
    beginning: 'localhost /',
    tooSlow: /^4 the request took too long\r\n$/,
    limited: /^5 too many requests/,
    bans: false,
    timeouts: { handshakeMs: 10_000, requestMs: 10_000, idleMs: 120_000 },
  },
  expected: [],

  async prepare(folder) {
    await preparePages(folder, '.gmi')
    return { serverFingerprints: [], identities: {} }
  },

  async start(folder) {
    return { listener: createSpartanServer(join(folder, 'capsule'), ['localhost']) }
  },
}
