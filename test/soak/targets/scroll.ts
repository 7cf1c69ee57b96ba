// The example Scroll server.

import { join } from 'node:path'
import { createServerContext } from 'tlacacoca'
import { createScrollServer } from '../../../docs/examples/scroll-server.ts'
import { prepareCertificates, preparePages, prepareVisitors, servedFiles, wrongUrls } from './site.ts'
import type { Target } from './target.ts'

const HELLO = /^20 text\/scroll\r\n\r\n[\dT:.Z-]+\r\n[\dT:.Z-]+\r\n# Hello\n$/

export const scroll: Target = {
  script: {
    tls: true,
    good: [
      { name: 'the index', request: 'scroll://localhost/ en,nah\r\n', answer: HELLO },
      { name: 'nothing there', request: 'scroll://localhost/missing en\r\n', answer: '51 there is no such page\r\n' },
    ],
    identities: [
      { name: 'new', visitor: 'new', request: 'scroll://localhost/ en\r\n', answer: HELLO },
      { name: 'expired', visitor: 'expired', request: 'scroll://localhost/ en\r\n', answer: HELLO },
      { name: 'of 60 KB', visitor: 'odd', request: 'scroll://localhost/ en\r\n', answer: HELLO },
    ],
    hostile: wrongUrls('scroll', 2048),
    // The example reads a page before it sends it, so that each reader of a long one would weigh as much.
    long: null,
    unfinished: null,
    unwelcome: null,
    beginning: 'scroll://localhost/',
    tooSlow: /^40 the request took too long\r\n$/,
    limited: /^44 \d+\r\n$/,
    bans: false,
    timeouts: { handshakeMs: 10_000, requestMs: 10_000, idleMs: 120_000 },
  },
  expected: [],

  async prepare(folder) {
    await preparePages(folder, '.scroll')
    return { serverFingerprints: await prepareCertificates(folder), identities: await prepareVisitors() }
  },

  async start(folder) {
    const context = await createServerContext({ certificates: [servedFiles(folder)], clientCertificates: 'request' })
    return { listener: createScrollServer(context, join(folder, 'capsule'), ['localhost']) }
  },
}
