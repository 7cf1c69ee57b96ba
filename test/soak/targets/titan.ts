// The example Titan server: uploads by a token and by a certificate, and the pages by Gemini beside them.

import { join } from 'node:path'
import { createServerContext } from 'tlacacoca'
import { createTitanServer } from '../../../docs/examples/titan-server.ts'
import {
  certificateOf,
  LONG_BYTES,
  prepareCertificates,
  preparePages,
  prepareVisitors,
  servedFiles,
  wrongUrls,
} from './site.ts'
import type { Target } from './target.ts'

const TOKEN = 'a token for everybody'
const BODY = '# Uploaded\n'
const upload = (parameters: string): string => `titan://localhost/note.gmi;size=${BODY.length}${parameters}\r\n${BODY}`
const tokenParameter = `;token=${encodeURIComponent(TOKEN)}`
const DONE = '30 gemini://localhost:1965/note.gmi\r\n'

export const titan: Target = {
  script: {
    tls: true,
    good: [
      { name: 'the index', request: 'gemini://localhost/\r\n', answer: '20 text/gemini\r\n# Hello\n' },
      { name: 'nothing there', request: 'gemini://localhost/missing\r\n', answer: '51 there is no such page\r\n' },
      { name: 'an upload by token', request: upload(tokenParameter), answer: DONE },
    ],
    identities: [
      { name: 'an upload', visitor: 'member', request: upload(''), answer: DONE },
      { name: 'of a stranger', visitor: 'new', request: upload(''), answer: /^61 / },
      { name: 'expired', visitor: 'expired', request: upload(''), answer: /^62 / },
      { name: 'of 60 KB', visitor: 'odd', request: upload(''), answer: /^61 / },
    ],
    hostile: [
      ...wrongUrls('gemini'),
      { name: 'an upload by nobody', request: upload(''), answer: /^60 / },
      { name: 'a wrong token', request: upload(';token=guess'), answer: /^60 / },
      { name: 'a size that is none', request: upload(`${tokenParameter};size=x`), answer: /^59 / },
      {
        name: 'too large',
        request: `titan://localhost/note.gmi;size=99999999${tokenParameter}\r\n${'a'.repeat(2 ** 20)}`,
        answer: /^59 the size is needed/,
      },
    ],
    long: { request: 'gemini://localhost/long.txt\r\n', answerBytes: '20 text/plain\r\n'.length + LONG_BYTES },
    unfinished: { request: `titan://localhost/half.gmi;size=1000${tokenParameter}\r\n# Ha`, timeoutMs: 60_000 },
    unwelcome: null,
    beginning: 'titan://localhost/',
    tooSlow: /^40 the request took too long\r\n$/,
    limited: /^44 \d+\r\n$/,
    bans: false,
    timeouts: { handshakeMs: 10_000, requestMs: 10_000, idleMs: 120_000 },
  },
  // What broke off, or was not TLS, is told there by the example.
  expected: [/^(ECONNRESET|\w*Error(?: \[\w+\])?: )/, /^ {4}at /],

  async prepare(folder) {
    await preparePages(folder, '.gmi')
    return { serverFingerprints: await prepareCertificates(folder), identities: await prepareVisitors() }
  },

  async start(folder, { identities }) {
    const context = await createServerContext({ certificates: [servedFiles(folder)], clientCertificates: 'request' })
    const members = [certificateOf(identities.member).fingerprint]
    const root = join(folder, 'capsule')
    return { listener: createTitanServer({ root, context, served: ['localhost'], members, token: TOKEN }) }
  },
}
