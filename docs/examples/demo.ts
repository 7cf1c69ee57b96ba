// The whole library in one run, on this computer only: a Gemini server with a generated certificate, and a client that
// meets it for the first time, comes back, meets an impostor, asks too often, and shows certificates where they are
// wanted. Each step says what should happen; the program ends with 0 only if all of it did.
//
//   npm run demo
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createServerContext,
  type GeneratedCertificate,
  generateSelfSignedCertificate,
  type Listener,
  TlacacocaError,
  TofuStore,
} from 'tlacacoca'
import { fetchPage, type Page } from './gemini-client.ts'
import { type CapsuleOptions, createCapsule } from './gemini-server.ts'

const HOST = 'localhost'
const DAY = 24 * 60 * 60 * 1000
const folder = await mkdtemp(join(tmpdir(), 'tlacacoca-demo-'))
const root = join(folder, 'capsule')
await mkdir(join(root, 'club'), { recursive: true })
await writeFile(join(root, 'index.gmi'), '# A small capsule\n')
await writeFile(join(root, 'club/index.gmi'), '# Members only\n')

let failures = 0
let step = 0

/** Runs one step and compares what happened with what was said. */
async function expectStep(title: string, expected: string, run: () => Promise<string>): Promise<void> {
  const happened = await run().catch((error: unknown) =>
    error instanceof TlacacocaError ? error.code : `unexpected: ${String(error)}`,
  )
  const ok = happened === expected
  if (!ok) failures += 1
  step += 1
  console.log(`${ok ? 'ok ' : 'BAD'} ${step}. ${title}\n       ${happened}${ok ? '' : `, expected ${expected}`}`)
}

const site = await generateSelfSignedCertificate({ hostname: HOST })
const impostor = await generateSelfSignedCertificate({ hostname: HOST })
const member = await generateSelfSignedCertificate({ commonName: 'ana', usage: 'client' })
const stranger = await generateSelfSignedCertificate({ commonName: 'bob', usage: 'client' })
const notBefore = new Date(Date.now() - 10 * DAY)
const notAfter = new Date(Date.now() - DAY)
const lapsed = await generateSelfSignedCertificate({ commonName: 'eve', usage: 'client', notBefore, notAfter })

interface Site {
  readonly server: Listener
  readonly port: number
}

async function serve(
  certificate: GeneratedCertificate,
  port: number,
  options: Partial<CapsuleOptions> = {},
): Promise<Site> {
  const context = await createServerContext({
    certificates: [{ cert: certificate.certificatePem, key: certificate.privateKeyPem }],
    clientCertificates: 'request',
  })
  const rules = [{ path: '/club/', requireCertificate: true, allowedFingerprints: [member.fingerprint] }]
  const server = createCapsule({ root, context, served: [HOST], rules, burst: 100, ...options })
  return { server, port: (await server.listen(port, '127.0.0.1')).port }
}

const known = await TofuStore.open({ path: join(folder, 'known-hosts.db') })

/** Fetches a page, and tells the answer's header and on what ground the server was trusted. */
async function visit({ port }: Site, path = '/', identity?: GeneratedCertificate): Promise<Page> {
  const own = identity && { identity: { cert: identity.certificatePem, key: identity.privateKeyPem } }
  return fetchPage(`gemini://${HOST}:${port}${path}`, known.verifier(), own)
}

const headerAndGround = ({ header, acceptedBy }: Page): string => `${header}, ${acceptedBy}`
const status = ({ header }: Page): string => header.slice(0, 2)

try {
  const capsule = await serve(site, 0)
  const { port } = capsule
  await expectStep('A first visit: the certificate is remembered', '20 text/gemini, tofu: first_use', async () =>
    headerAndGround(await visit(capsule)),
  )
  await expectStep('A second visit: it is the same certificate', '20 text/gemini, tofu: trusted', async () =>
    headerAndGround(await visit(capsule)),
  )

  await expectStep('A page for members, without a certificate', '60', async () =>
    status(await visit(capsule, '/club/')),
  )
  await expectStep('The same page by another spelling', '60', async () =>
    status(await visit(capsule, '//x/../%63lub/')),
  )
  await expectStep('With the certificate of a stranger', '61', async () =>
    status(await visit(capsule, '/club/', stranger)),
  )
  await expectStep('With a certificate that has expired', '62', async () =>
    status(await visit(capsule, '/club/', lapsed)),
  )
  await expectStep('With the certificate of a member', '20', async () => status(await visit(capsule, '/club/', member)))
  await capsule.server.close()

  let requests = 0
  const onRequest = (): void => {
    requests += 1
  }
  const swapped = await serve(impostor, port, { onRequest })
  await expectStep('Another certificate on the same host and port', 'ERR_TLACACOCA_CERTIFICATE_CHANGED', async () =>
    status(await visit(swapped)),
  )
  await swapped.server.close()
  await expectStep('The impostor has seen this many requests', 'none', async () =>
    requests === 0 ? 'none' : `${requests}`,
  )

  const busy = await serve(site, port, { burst: 2 })
  await visit(busy)
  await visit(busy)
  await expectStep('A third request at once, where two are allowed', '44 1', async () => (await visit(busy)).header)
  await busy.server.close()

  const closed = await serve(site, port, { denyList: ['127.0.0.0/8'] })
  await expectStep('From an address on the deny list', '50', async () => status(await visit(closed)))
  await closed.server.close()

  const pinned = await known.listHosts()
  await expectStep('One host is known, by one certificate', `${HOST}:${port} ${site.fingerprint}`, async () =>
    pinned.map((host) => `${host.endpoint} ${host.fingerprint}`).join(', '),
  )
} finally {
  await known.close()
  await rm(folder, { recursive: true, force: true })
}

console.log(failures === 0 ? `all ${step} steps went as told` : `${failures} of ${step} steps did not go as told`)
process.exitCode = failures === 0 ? 0 : 1
