// The example Gemini server, with rules, accounts, a deny list, its own limits and bans, and certificates that change.

import { join } from 'node:path'
import { createServerContext } from 'tlacacoca'
import { IdentityRegistry } from 'tlacacoca/identity'
import { testPeer } from 'tlacacoca/testing'
import { createCapsule } from '../../../docs/examples/gemini-server.ts'
import {
  certificateOf,
  LONG_BYTES,
  prepareCertificates,
  preparePages,
  prepareVisitors,
  servedFiles,
  showCertificate,
  wrongUrls,
} from './site.ts'
import { type Script, type Target, UNWELCOME_RANGE } from './target.ts'

const HELLO = '20 text/gemini\r\n# Hello\n'
const MEMBERS = '20 text/gemini\r\n# Members\n'
const ACCOUNT = '20 text/gemini\r\n# Account\n'
const NOT_FOUND = '51 there is no such page\r\n'
const NEEDED = '60 a client certificate is needed here\r\n'
const NO_RIGHT = '61 this certificate has no right to this\r\n'
const NOT_VALID = '62 this certificate has expired, is not yet valid, or was revoked\r\n'

export const geminiScript: Script = {
  tls: true,
  good: [
    { name: 'the index', request: 'gemini://localhost/\r\n', answer: HELLO },
    { name: 'without a path', request: 'gemini://localhost\r\n', answer: HELLO },
    { name: 'in other words', request: 'GEMINI://LocalHost:1965/x/../%69ndex.gmi\r\n', answer: HELLO },
    { name: 'with a second one behind it', request: 'gemini://localhost/\r\ngemini://localhost/\r\n', answer: HELLO },
    { name: 'nothing there', request: 'gemini://localhost/missing\r\n', answer: NOT_FOUND },
    { name: 'as long as may be', request: `gemini://localhost/${'a'.repeat(1005)}\r\n`, answer: NOT_FOUND },
    { name: 'members only', request: 'gemini://localhost/members/\r\n', answer: NEEDED },
  ],
  identities: [
    { name: 'a member', visitor: 'member', request: 'gemini://localhost/members/\r\n', answer: MEMBERS },
    { name: 'an account', visitor: 'account', request: 'gemini://localhost/account/\r\n', answer: ACCOUNT },
    { name: 'a stranger', visitor: 'new', request: 'gemini://localhost/members/\r\n', answer: NO_RIGHT },
    { name: 'without an account', visitor: 'new', request: 'gemini://localhost/account/\r\n', answer: NO_RIGHT },
    { name: 'no rule there', visitor: 'new', request: 'gemini://localhost/\r\n', answer: HELLO },
    { name: 'expired', visitor: 'expired', request: 'gemini://localhost/members/\r\n', answer: NOT_VALID },
    { name: 'of 60 KB', visitor: 'odd', request: 'gemini://localhost/members/\r\n', answer: NO_RIGHT },
  ],
  hostile: [
    ...wrongUrls('gemini'),
    {
      name: 'another port',
      request: 'gemini://localhost:7777/\r\n',
      answer: '53 this is not served here\r\n',
    },
  ],
  unwelcome: {
    name: 'from an address that is not welcome',
    request: 'gemini://localhost/\r\n',
    answer: '50 this address is not welcome here\r\n',
  },
  long: { request: 'gemini://localhost/long.txt\r\n', answerBytes: '20 text/plain\r\n'.length + LONG_BYTES },
  unfinished: null,
  beginning: 'gemini://localhost/',
  tooSlow: /^40 the request took too long\r\n$/,
  limited: /^44 \d+\r\n$/,
  bans: true,
  timeouts: { handshakeMs: 10_000, requestMs: 10_000, idleMs: 120_000 },
}

export const gemini: Target = {
  script: geminiScript,
  expected: [],

  async prepare(folder) {
    await preparePages(folder, '.gmi')
    return { serverFingerprints: await prepareCertificates(folder), identities: await prepareVisitors() }
  },

  async start(folder, { identities }) {
    const context = await createServerContext({ certificates: [servedFiles(folder)], clientCertificates: 'request' })
    const registry = await IdentityRegistry.open({ path: join(folder, 'users.db'), origin: 'localhost:1965' })
    await registry.register(testPeer(certificateOf(identities.account)), { handle: 'ana' })
    const listener = createCapsule({
      root: join(folder, 'capsule'),
      context,
      served: ['localhost:1965'],
      denyList: [UNWELCOME_RANGE],
      rules: [
        { path: '/members/', allowedFingerprints: [certificateOf(identities.member).fingerprint] },
        { path: '/account/', lookup: registry.lookup(), expired: 'allow' },
      ],
    })
    let shown = 0
    return {
      listener,
      async reload() {
        shown = 1 - shown
        await showCertificate(folder, shown)
        await context.reload()
      },
      close: () => registry.close(),
    }
  },
}
