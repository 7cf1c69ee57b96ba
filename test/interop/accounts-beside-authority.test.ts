// One site, over TLS, for two kinds of people: members of a club with certificates of its authority, and everybody else
// with certificates that they made themselves. The registry knows both.

import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import {
  type ClientIdentityTexts,
  type ConnectOptions,
  connect,
  createServer,
  createServerContext,
  dangerouslyAcceptAny,
  parseEndpoint,
  type ServerConnection,
} from 'tlacacoca'
import { CertificateAuthority } from 'tlacacoca/authority'
import { createCertificateRequest } from 'tlacacoca/certificate'
import { IdentityError, IdentityRegistry, IdentityWallet, originScope } from 'tlacacoca/identity'
import { expect, it, onTestFinished } from 'vitest'
import { testCertificate } from '../support/certificates.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

async function club(): Promise<CertificateAuthority> {
  const folder = join(await temporaryFolder(), 'ca')
  const authority = await CertificateAuthority.create(folder, { subject: [['CN', 'club']], passphrase: 'tlaloc' })
  onTestFinished(() => authority.close())
  return authority
}

/** A certificate of the club's for a new key. */
async function membership(authority: CertificateAuthority, id: string) {
  const { request, privateKeyPem: key } = await createCertificateRequest()
  const issued = await authority.sign({ request, subject: [['CN', 'member']], subjectAltNames: { uri: [id] } })
  return { serial: issued.serialNumber, shown: { identity: { cert: issued.certificatePem, key } } }
}

/** A site that answers each line of a connection by whoever that is now; `join <handle>` registers. */
async function site(authority: CertificateAuthority): Promise<{ port: number }> {
  const registry = await IdentityRegistry.open({
    path: join(await temporaryFolder(), 'users.db'),
    origin: 'localhost:1965',
    policy: { authorities: [{ certificate: authority.certificate, revocation: authority.revocationChecker() }] },
  })
  const { certPem: cert, keyPem: key } = await testCertificate({ host: 'localhost' })
  const context = await createServerContext({ certificates: [{ cert, key }], clientCertificates: 'request' })
  const answer = async ({ stream, peer }: ServerConnection): Promise<void> => {
    for await (const line of createInterface({ input: stream })) {
      const [, handle] = line.split(' ')
      if (handle !== undefined && peer !== null) {
        await registry.register(peer, { handle }).catch((error: unknown) => {
          if (!(error instanceof IdentityError)) throw error
        })
      }
      const who = await registry.resolve(peer)
      const more = who.kind === 'known' ? who.user.handle : who.kind === 'refused' ? who.reason : ''
      stream.write(`${who.kind} ${more}\n`)
    }
  }
  const server = createServer(context, answer)
  const { port } = await server.listen(0, '127.0.0.1')
  onTestFinished(async () => {
    await server.close({ graceMs: 0 })
    await registry.close()
  })
  return { port }
}

type Shown = { readonly identity: ClientIdentityTexts } | Pick<ConnectOptions, 'clientCertificateStore'>

/** A connection on which one can ask again and again. */
async function visitor(port: number, shown: Shown): Promise<(line?: string) => Promise<string>> {
  const { stream } = await connect({
    endpoint: parseEndpoint(`127.0.0.1:${port}`),
    verify: dangerouslyAcceptAny(),
    ...shown,
  })
  onTestFinished(async () => {
    stream.destroy()
    if (!stream.closed) await once(stream, 'close')
  })
  const lines = createInterface({ input: stream })[Symbol.asyncIterator]()
  return async (line = 'who') => {
    stream.write(`${line}\n`)
    return String((await lines.next()).value).trim()
  }
}

it('a member is known by the next certificate too, and everybody else by the one they made', async () => {
  const authority = await club()
  const { port } = await site(authority)
  const wallet = await IdentityWallet.inMemory()
  onTestFinished(() => wallet.close())
  const url = `gemini://127.0.0.1:${port}/`
  await wallet.create({ scope: originScope(url) })

  const bo = await visitor(port, { clientCertificateStore: wallet.store(url) })
  expect([await bo(), await bo('join bo'), await bo()]).toEqual(['unknown', 'known bo', 'known bo'])
  const ana = await visitor(port, (await membership(authority, 'member:ana')).shown)
  expect([await ana(), await ana('join ana')]).toEqual(['unknown', 'known ana'])
  const later = await visitor(port, (await membership(authority, 'member:ana')).shown)
  expect(await later()).toBe('known ana')
  const other = await visitor(port, (await membership(authority, 'member:other')).shown)
  expect(await other('join ana')).toBe('unknown')
  expect(await bo()).toBe('known bo')
})

it('what the authority takes back is out with the next request of an open connection, and nobody else is', async () => {
  const authority = await club()
  const { port } = await site(authority)
  const [first, second] = [await membership(authority, 'member:ana'), await membership(authority, 'member:ana')]
  const [ana, again] = [await visitor(port, first.shown), await visitor(port, second.shown)]
  expect([await ana('join ana'), await again()]).toEqual(['known ana', 'known ana'])
  await authority.hold(first.serial)
  expect([await ana(), await again()]).toEqual(['refused held', 'known ana'])
  await authority.release(first.serial)
  expect(await ana()).toBe('known ana')
  await authority.revoke(first.serial, { reason: 'key_compromise' })
  expect([await ana(), await ana('join ana'), await again()]).toEqual([
    'refused revoked',
    'refused revoked',
    'known ana',
  ])
})

it('another authority of the same name speaks for nobody', async () => {
  const [authority, impostor] = [await club(), await club()]
  const { port } = await site(authority)
  const ana = await visitor(port, (await membership(authority, 'member:ana')).shown)
  expect(await ana('join ana')).toBe('known ana')
  const thief = await visitor(port, (await membership(impostor, 'member:ana')).shown)
  expect(await thief()).toBe('unknown')
})
