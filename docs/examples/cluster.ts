// A Gemini server as several processes behind one port. They share limits and bans by Redis (or Valkey), and accounts by
// a file. Without Redis each goes by its part of the limits, until it is back.
//
//   REDIS_URL=redis://127.0.0.1:6379 FLEET_SECRET=16-bytes-or-more npx tsx docs/examples/cluster.ts FOLDER PORT PROCESSES
//
// makes a certificate for localhost in the folder, unless there is one, and keeps the accounts there.
import cluster from 'node:cluster'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { createClient } from 'redis'
import {
  admit,
  BanList,
  CertificateAuth,
  createServer,
  createServerContext,
  generateSelfSignedCertificate,
  MiddlewareChain,
  type Peer,
  parseTarget,
  RateLimiter,
  refuse,
  saveCertificateFiles,
} from 'tlacacoca'
import { IdentityError, IdentityRegistry } from 'tlacacoca/identity'
import { RedisRateLimitStore, shareBans } from 'tlacacoca/redis'
import { statusLine } from './gemini-status.ts'

const [folder = 'capsule', port = '1965', processes = '4'] = process.argv.slice(2)
const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
const { REDIS_URL = 'redis://127.0.0.1:6379', FLEET_SECRET } = process.env
if (FLEET_SECRET === undefined) throw new Error('FLEET_SECRET is to be a secret that all processes share')

if (cluster.isPrimary) await startAll()
else await serve(FLEET_SECRET)

/** Starts the processes, and another one for each that ends. They get what this one got. */
async function startAll(): Promise<void> {
  await mkdir(folder, { recursive: true })
  if (!existsSync(certFile)) {
    const made = await generateSelfSignedCertificate({ hostname: 'localhost', validDays: 3650 })
    await saveCertificateFiles(made, { certFile, keyFile })
  }
  let isStopping = false
  const stop = (): void => {
    isStopping = true
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGTERM')
  }
  process.once('SIGTERM', stop).once('SIGINT', stop)
  cluster.on('exit', async () => {
    // Not at once: what cannot start should not be started a thousand times a second.
    await setTimeout(500)
    if (!isStopping) cluster.fork()
  })
  for (let i = 0; i < Number(processes); i++) cluster.fork()
}

async function serve(secret: string): Promise<void> {
  const redis = createClient({
    url: REDIS_URL,
    // A command that cannot be sent now is worth nothing later: the limiter is answered by this process instead.
    disableOfflineQueue: true,
    // A connection on which nothing comes any more is given up after this time, and made anew.
    socket: { connectTimeout: 1000, socketTimeout: 5000 },
    pingInterval: 1500,
  })
  redis.on('error', () => {}) // It connects again by itself; what it means for us is told by `onEvent` below.
  await Promise.race([redis.connect().catch(() => {}), setTimeout(1000)])

  const onEvent = ({ kind }: { kind: string }): void => console.log(`process ${process.pid}: Redis ${kind}`)
  const store = new RedisRateLimitStore(redis, { fleetSize: Number(processes), secret, onEvent })
  const bans = new BanList()
  const sharing = await shareBans(bans, redis, { secret })
  const registry = await IdentityRegistry.open({ path: join(folder, 'users.db'), origin: 'localhost:1965' })

  const guard = new MiddlewareChain([
    bans,
    new RateLimiter({ capacity: 30, refillPerSecond: 0.5, store, bans }),
    new CertificateAuth({
      rules: [
        { path: '/join', requireCertificate: true },
        { path: '/members/', lookup: registry.lookup(), expired: 'allow' },
      ],
    }),
  ])
  const parse = (line: string) => parseTarget(line, { schemes: { gemini: 1965 }, served: ['localhost'] })
  const context = await createServerContext({ certificates: [{ certFile, keyFile }], clientCertificates: 'request' })
  const server = createServer(
    context,
    async (connection) => {
      const request = await admit(connection, { parse, guard })
      if (!request.allowed) return refuse(connection, statusLine(request))
      const { path, query } = request.target
      connection.stream.end(await pageFor(registry, String(path), query, connection.peer))
    },
    { guards: [bans] },
  )

  process.once('SIGTERM', async () => {
    await server.close()
    await sharing.close()
    await registry.close()
    if (redis.isOpen) redis.destroy()
    process.exit()
  })
  process.on('SIGINT', () => {}) // Ctrl-C reaches everybody; the first process says when to stop.
  const address = await server.listen(Number(port))
  console.log(`process ${process.pid}: serving gemini://localhost:${address.port}/`)
}

async function pageFor(
  registry: IdentityRegistry,
  path: string,
  query: string | null,
  peer: Peer | null,
): Promise<string> {
  const by = `Answered by process ${process.pid}.\n`
  if (path === '/') return `20 text/gemini\r\n# Welcome\n=> /join Join\n=> /members/ For members\n${by}`
  if (path === '/join' && peer !== null) {
    if (query === null) return '10 What shall we call you?\r\n'
    try {
      await registry.register(peer, { handle: decodeURIComponent(query) })
      return '30 /members/\r\n'
    } catch (error) {
      if (error instanceof IdentityError || error instanceof URIError) return '10 That cannot be had. Another name?\r\n'
      throw error
    }
  }
  if (path === '/members/') {
    const who = await registry.resolve(peer)
    if (who.kind === 'known') return `20 text/gemini\r\n# Hello, ${who.user.handle}\n${by}`
  }
  return '51 there is no such page\r\n'
}
