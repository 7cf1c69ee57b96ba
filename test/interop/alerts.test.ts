// What other people's programs say about alerts of ours, and what we say about theirs.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { KeyedChain } from '../../src/certificate/keyed-chain.ts'
import type { PeerVerifier } from '../../src/certificate/peer-verifier.ts'
import { AlertCode } from '../../src/tls/alert.ts'
import type { CipherSuite } from '../../src/tls/sans-io/cipher-suites.ts'
import { ClientTLS } from '../../src/tls/sans-io/client-tls.ts'
import { ServerCertificateChain } from '../../src/tls/sans-io/server-certificates.ts'
import { ServerTLS } from '../../src/tls/sans-io/server-tls.ts'
import { type TestCertificate, testCertificate } from '../support/certificates.ts'
import type { CommandLinePeer } from '../support/command-line-peer.ts'
import { gnutlsCli, hasGnutls } from '../support/gnutls-peer.ts'
import { messagesIn, sClient, sServer, versionSwitch } from '../support/openssl-peer.ts'
import { ourClient, ourServer } from '../support/recording-peer.ts'
import type { EndOptions, OurEnd } from '../support/sans-io.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { hasOpenssl } from '../support/tls-clients.ts'

/** An alert, its name in `openssl -msg`, and the words of GnuTLS for it. */
const TABLE = [
  { code: 42, openssl: 'bad_certificate', gnutls: 'Certificate is bad' },
  { code: 43, openssl: 'unsupported_certificate', gnutls: 'Certificate is not supported' },
  { code: 44, openssl: 'certificate_revoked', gnutls: 'Certificate was revoked' },
  { code: 45, openssl: 'certificate_expired', gnutls: 'Certificate is expired' },
  { code: 46, openssl: 'certificate_unknown', gnutls: 'Unknown certificate' },
  { code: 48, openssl: 'unknown_ca', gnutls: 'CA is unknown' },
  { code: 49, openssl: 'access_denied', gnutls: 'Access was denied' },
  { code: 80, openssl: 'internal_error', gnutls: 'Internal error' },
  { code: 112, openssl: 'unrecognized_name', gnutls: 'The server name sent was not recognized' },
  { code: 116, openssl: 'certificate_required', gnutls: 'Certificate is required' },
  // OpenSSL 3.0 sends it, and has no name for it when it prints messages.
  {
    code: 120,
    openssl: /^(\?\?\?|no_application_protocol)$/,
    gnutls: 'No supported application protocol could be negotiated',
  },
] as const

type Row = (typeof TABLE)[number]
const REVOKED = TABLE[2]

type Version = 'TLSv1.2' | 'TLSv1.3'
const VERSIONS: readonly Version[] = ['TLSv1.2', 'TLSv1.3']

const SUITES: readonly { readonly suite: CipherSuite; readonly version: Version }[] = [
  { suite: 'TLS_AES_128_GCM_SHA256', version: 'TLSv1.3' },
  { suite: 'TLS_AES_256_GCM_SHA384', version: 'TLSv1.3' },
  { suite: 'TLS_CHACHA20_POLY1305_SHA256', version: 'TLSv1.3' },
  { suite: 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', version: 'TLSv1.2' },
  { suite: 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', version: 'TLSv1.2' },
  { suite: 'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256', version: 'TLSv1.2' },
]

/** Header, message, type and tag (RFC 8446 sections 4.6.3 and 5.2). */
const KEY_UPDATE_BYTES = 5 + 5 + 1 + 16

const ACCEPT: PeerVerifier = { name: 'test', verify: () => ({ accept: true, ground: 'test' }) }

let certificate: TestCertificate
let chain: KeyedChain

beforeAll(async () => {
  certificate = await testCertificate()
  chain = await KeyedChain.fromPem({ cert: certificate.certPem, key: certificate.keyPem })
})

interface Kind {
  readonly version: Version
  readonly suite?: CipherSuite
}

function limitsOf({ version, suite }: Kind) {
  return { minVersion: version, maxVersion: version, ...(suite === undefined ? {} : { cipherSuites: [suite] }) }
}

/** Our side, and the program at the other end of the connection. */
interface Meeting {
  readonly ours: OurEnd
  readonly peer: CommandLinePeer
}

interface Tool {
  readonly name: string
  readonly isHere: boolean
  meet(kind: Kind, options?: EndOptions): Promise<Meeting>
  /** Makes it change its keys and ask us to change ours, then say a word. */
  changeKeys(meeting: Meeting): Promise<void>
  /** Fails unless this is the alert that it says it got. */
  expectReported(output: string, row: Row): void
}

async function meetAsServer(
  kind: Kind,
  options: EndOptions,
  start: (port: number) => CommandLinePeer,
): Promise<Meeting> {
  const tls = new ServerTLS({ certificates: new ServerCertificateChain(chain), ...limitsOf(kind) })
  const { port, client } = await ourServer(tls, options)
  const peer = start(port)
  return { ours: await client, peer }
}

function expectOpenssl(output: string, { code, openssl }: Row): void {
  const alerts = messagesIn(output, 'received').filter((message) => message.startsWith('Alert'))
  expect(alerts).toHaveLength(1)
  expect(alerts[0]?.replace('Alert fatal ', '')).toMatch(openssl)
  expect([...output.matchAll(/SSL alert number (\d+)/g)].map(([, number]) => Number(number))).toEqual([code])
}

/** OpenSSL takes commands when they are alone in what it reads. */
async function changeKeysOfOpenssl({ peer }: Meeting): Promise<void> {
  const before = messagesIn(peer.output, 'sent').filter((message) => message === 'KeyUpdate').length
  peer.type('K')
  await peer.printed(new RegExp(`(>>> [^\\n]*KeyUpdate[^]*){${before + 1}}`))
  peer.type('hello')
}

const TOOLS: readonly Tool[] = [
  {
    name: 'openssl s_client',
    isHere: hasOpenssl,
    meet: (kind, options = {}) => meetAsServer(kind, options, (port) => sClient(port)),
    changeKeys: changeKeysOfOpenssl,
    expectReported: expectOpenssl,
  },
  {
    name: 'openssl s_server',
    isHere: hasOpenssl,
    async meet(kind, options = {}) {
      const folder = await temporaryFolder()
      const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
      await writeFile(files.cert, certificate.certPem)
      await writeFile(files.key, certificate.keyPem)
      const { port, peer } = await sServer(files, [versionSwitch(kind.version)])
      const tls = new ClientTLS({ serverHostname: 'example.org', port: 1965, verifier: ACCEPT, ...limitsOf(kind) })
      return { ours: ourClient(port, tls, options), peer }
    },
    changeKeys: changeKeysOfOpenssl,
    expectReported: expectOpenssl,
  },
  {
    name: 'gnutls-cli',
    isHere: hasGnutls,
    meet: (kind, options = {}) =>
      meetAsServer(kind, options, (port) => gnutlsCli(port, kind.version, ['--inline-commands'])),
    async changeKeys({ peer }) {
      peer.type('^rekey^')
      peer.type('hello')
    },
    expectReported(output, { code, gnutls }) {
      const found = [...output.matchAll(/Received alert \[(\d+)\]: (.*)/g)].map(([, number, words]) => ({
        number,
        words,
      }))
      expect(found).toEqual([{ number: String(code), words: gnutls }])
    },
  },
]

describe.each(TOOLS)('$name', ({ name, isHere, meet, changeKeys, expectReported }) => {
  beforeEach((context) => context.skip(!isHere, `${name.split(' ')[0]} is not installed here`))

  /** Reads whatever comes, so that a test can wait for it. */
  function reading() {
    let waiting: (() => void)[] = []
    let heard = ''
    return {
      options: {
        onData: (plaintext: Uint8Array) => {
          heard += Buffer.from(plaintext).toString()
          for (const each of waiting.splice(0)) each()
        },
      } satisfies EndOptions,
      /** Waits until this word has come so many times. */
      async heard(word: string, times: number): Promise<void> {
        while (heard.split(word).length <= times) await new Promise<void>((resolve) => waiting.push(resolve))
        waiting = []
      },
    }
  }

  describe.each(VERSIONS)('over %s', (version) => {
    it('names every alert that verify sends, which is all that it gets', async () => {
      await Promise.all(
        TABLE.map(async (row) => {
          const { ours, peer } = await meet(
            { version },
            { verify: (_chain, connection) => connection.sendAlert(row.code, 'fatal') },
          )
          expectReported(await peer.ended(), row)
          expect(ours.connection.state).toBe('invalidated')
          if (name !== 'openssl s_server') return
          const [hello, ...rest] = messagesIn(peer.output, 'received').filter((each) => each !== 'ChangeCipherSpec')
          expect(hello).toBe('ClientHello')
          expect(rest).toHaveLength(1)
        }),
      )
    })

    it('names every alert that comes the moment a connection is open', async () => {
      await Promise.all(
        TABLE.map(async (row) => {
          const { ours, peer } = await meet({ version })
          await ours.connection.established
          ours.connection.sendAlert(row.code, 'fatal')
          expectReported(await peer.ended(), row)
        }),
      )
    })

    it('names an alert behind data that have not left', async () => {
      const { ours, peer } = await meet({ version })
      await ours.connection.established
      for (let index = 0; index < 10; index++) ours.connection.dataFromApplication(Buffer.alloc(20_000, '.'))
      ours.write('the end')
      ours.connection.sendAlert(REVOKED.code, 'fatal')
      const output = await peer.ended()
      expectReported(output, REVOKED)
      expect(output).toContain('the end')
    })
  })

  it.each(SUITES)('names an alert after data, with $suite', async (kind) => {
    const { ours, peer } = await meet(kind)
    await ours.connection.established
    for (let index = 0; index < 10; index++) ours.connection.dataFromApplication(Buffer.alloc(20_000, '.'))
    ours.write('the end')
    await peer.printed(/the end/)
    ours.connection.sendAlert(REVOKED.code, 'fatal')
    expectReported(await peer.ended(), REVOKED)
  })

  it.each(SUITES.filter(({ version }) => version === 'TLSv1.3'))(
    'names an alert after it has made us change our keys twice, with $suite',
    async (kind) => {
      const { options, heard } = reading()
      const meeting = await meet(kind, options)
      const { ours, peer } = meeting
      await ours.connection.established
      for (const time of [1, 2]) {
        await changeKeys(meeting)
        await heard('hello', time)
        // OpenSSL changes its keys when it has something to send.
        ours.write(`answer ${time}`)
        await peer.printed(new RegExp(`answer ${time}`))
      }
      ours.connection.sendAlert(REVOKED.code, 'fatal')
      expectReported(await peer.ended(), REVOKED)
      // Ours, as it is on the wire: nothing else here has this length.
      expect(ours.records.filter(({ bytes }) => bytes.length === KEY_UPDATE_BYTES)).toHaveLength(2)
    },
  )
})

describe('openssl s_client', () => {
  beforeEach((context) => context.skip(!hasOpenssl, 'openssl is not installed here'))

  it.each(VERSIONS)('gets user_canceled and a close_notify when the user has cancelled, over %s', async (version) => {
    const { ours, peer } = await meetAsServer({ version }, {}, (port) => sClient(port))
    await ours.connection.established
    ours.connection.sendAlert(AlertCode.user_canceled)
    const output = await peer.ended()
    const alerts = messagesIn(output, 'received').filter((message) => message.startsWith('Alert'))
    expect(alerts).toEqual(['Alert warning user_canceled', 'Alert warning close_notify'])
  })

  it.each(VERSIONS)('is reported when it does not trust us, over %s', async (version) => {
    const { ours } = await meetAsServer({ version }, {}, (port) => sClient(port, ['-verify_return_error']))
    expect(await ours.failure()).toMatchObject({ alertCode: AlertCode.unknown_ca, alertLevel: 'fatal' })
  })
})

describe('openssl s_server', () => {
  beforeEach((context) => context.skip(!hasOpenssl, 'openssl is not installed here'))

  it.each([
    { version: 'TLSv1.2', alert: AlertCode.handshake_failure },
    { version: 'TLSv1.3', alert: AlertCode.certificate_required },
  ] as const)('is reported when it wants a certificate and gets none, over $version', async ({ version, alert }) => {
    const folder = await temporaryFolder()
    const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
    await writeFile(files.cert, certificate.certPem)
    await writeFile(files.key, certificate.keyPem)
    const { port } = await sServer(files, [versionSwitch(version), '-Verify', '5'])
    const tls = new ClientTLS({ serverHostname: 'example.org', port: 1965, verifier: ACCEPT })
    expect(await ourClient(port, tls).failure()).toMatchObject({ alertCode: alert, alertLevel: 'fatal' })
  })
})
