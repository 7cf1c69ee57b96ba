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
  generateSelfSignedCertificate,
  TlacacocaError,
  TofuStore,
  type GeneratedCertificate,
  type Listener,
} from 'tlacacoca'
import { fetchPage } from './gemini-client.ts'
import { createCapsule } from './gemini-server.ts'

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
  readonly denyList?: string[]
  readonly burst?: number
}

async function serve(certificate: GeneratedCertificate, port: number, options: Site = {}): Promise<Listener> {
  const context = await createServerContext({
    certificates: [{ cert: certificate.certificatePem, key: certificate.privateKeyPem }],
    clientCertificates: 'request',
  })
  const rules = [{ path: '/club/', requireCertificate: true, allowedFingerprints: [member.fingerprint] }]
  const server = createCapsule({ root, context, served: [HOST], rules, burst: 100, ...options })
  await server.listen(port, '127.0.0.1')
  return server
}

const known = await TofuStore.open({ path: join(folder, 'known-hosts.db') })
const urlOf = (server: Listener, path = '/'): string => `gemini://${HOST}:${server.address().port}${path}`

/** Fetches a page, and tells the answer's header and on what ground the server was trusted. */
async function visit(server: Listener, path = '/', identity?: GeneratedCertificate): Promise<string> {
  const identityOption = identity && { cert: identity.certificatePem, key: identity.privateKeyPem }
  const page = await fetchPage(urlOf(server, path), known.verifier(), identityOption ? { identity: identityOption } : {})
  return page.header
}

async function visitAndTellGround(server: Listener): Promise<string> {
  const page = await fetchPage(urlOf(server), known.verifier())
  return `${page.header}, ${page.acceptedBy}`
}

try {
  const capsule = await serve(site, 0)
  const { port } = capsule.address()
  await expectStep('A first visit: the certificate is remembered', '20 text/gemini, tofu: first_use', () =>
    visitAndTellGround(capsule),
  )
  await expectStep('A second visit: it is the same certificate', '20 text/gemini, tofu: trusted', () =>
    visitAndTellGround(capsule),
  )

  await expectStep('A page for members, without a certificate', '60', async () =>
    (await visit(capsule, '/club/')).slice(0, 2),
  )
  await expectStep('The same page by another spelling', '60', async () =>
    (await visit(capsule, '//x/../%63lub/')).slice(0, 2),
  )
  await expectStep('With the certificate of a stranger', '61', async () =>
    (await visit(capsule, '/club/', stranger)).slice(0, 2),
  )
  await expectStep('With a certificate that has expired', '62', async () =>
    (await visit(capsule, '/club/', lapsed)).slice(0, 2),
  )
  await expectStep('With the certificate of a member', '20 text/gemini', () => visit(capsule, '/club/', member))
  await capsule.close()

  let requests = 0
  const swapped = await serve(impostor, port, { denyList: [] })
  swapped.on('connection', () => {})
  await expectStep(
    'Another certificate on the same host and port: refused',
    'ERR_TLACACOCA_CERTIFICATE_CHANGED',
    () => visit(swapped),
  )
  requests += 0
  await swapped.close()

  const busy = await serve(site, port, { burst: 2 })
  await visit(busy)
  await visit(busy)
  await expectStep('A third request at once, where two are allowed', '44 1', () => visit(busy))
  await busy.close()

  const closed = await serve(site, port, { denyList: ['127.0.0.0/8'] })
  await expectStep('From an address on the deny list', '50', async () => (await visit(closed)).slice(0, 2))
  await closed.close()

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
