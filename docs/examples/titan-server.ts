// A Titan server: a folder of files that everybody reads by Gemini, and some may write to, by Titan, at the same port.
//
//   TITAN_TOKEN='a long secret' npx tsx docs/examples/titan-server.ts FOLDER CERTIFICATE KEY FINGERPRINT…
//
// takes uploads from those who know the token or have one of the certificates, until Ctrl-C.
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { pathToFileURL } from 'node:url'
import {
  type Admitted,
  admit,
  CertificateAuth,
  ConnectionLimiter,
  createSecureServer,
  createServerContext,
  type Listener,
  type Middleware,
  MiddlewareChain,
  openInsideRoot,
  parseTarget,
  RateLimiter,
  refuse,
  type ServerConnection,
  type ServerContext,
} from 'tlacacoca'
import { statusLine } from './gemini-status.ts'
import { readBody, ShortBodyError } from './read-body.ts'

export interface TitanOptions {
  readonly root: string
  readonly context: ServerContext
  readonly served: readonly string[]
  /** Fingerprints of the certificates that may upload. */
  readonly members: readonly string[]
  /** Whoever sends it may upload as well. Default: there is none. */
  readonly token?: string | undefined
  /** The largest upload, in bytes. Default 1 MB. */
  readonly maxBytes?: number
  /** How long an upload may take, in milliseconds. Default a minute. */
  readonly uploadMs?: number
}

const mediaTypes: Record<string, string> = { '.gmi': 'text/gemini', '.txt': 'text/plain', '.png': 'image/png' }

export function createTitanServer(options: TitanOptions): Listener {
  const { root, context, served, members, token, maxBytes = 1_000_000, uploadMs = 60_000 } = options
  const certificates = new CertificateAuth({
    rules: [
      { path: '/', requireCertificate: false },
      { path: '/', scheme: 'titan', allowedFingerprints: members },
    ],
  })
  const tokenOrCertificate: Middleware = {
    name: 'token_or_certificate',
    decide(request) {
      const given = request.target.parameters.get('token')
      if (given && token && isSame(given, token)) return { allowed: true }
      return certificates.decide(request)
    },
  }
  // An upload costs five times what a page does, so that nobody gets to try many tokens.
  const guard = new MiddlewareChain([new RateLimiter({ capacity: 20, refillPerSecond: 1 }), tokenOrCertificate])
  const parse = (line: string) => parseTarget(line, { schemes: { gemini: 1965, titan: 1965 }, served })

  // With createSecureServer an upload that somebody has cut off on its way is told from one that has ended.
  return createSecureServer(
    context,
    async (connection) => {
      const cost = ({ scheme }: { readonly scheme: string }): number => (scheme === 'titan' ? 5 : 1)
      const request = await admit(connection, { parse, guard, cost, onError: console.error })
      if (!request.allowed) return refuse(connection, statusLine(request))
      await (request.target.scheme === 'titan' ? upload : download)(connection, request)
    },
    { guards: [new ConnectionLimiter({ maxPerAddress: 8 })], onError: (error) => console.error(String(error)) },
  )

  async function upload(connection: ServerConnection, request: Admitted): Promise<void> {
    const { path, parameters, endpoint } = request.target
    const [name = '', ...more] = path.segments
    // Names without folders and without a dot in front. Each has its one media type.
    const type = mediaTypes[extname(name)]
    if (more.length > 0 || path.isDirectory || !/^\w[\w.-]{0,99}$/.test(name) || type === undefined) {
      return refuse(connection, `59 a name ends in ${Object.keys(mediaTypes).join(', ')}\r\n`)
    }
    if ((parameters.get('mime') ?? type) !== type) return refuse(connection, `59 such a file is ${type}\r\n`)
    const size = /^\d{1,15}$/.test(parameters.get('size') ?? '') ? Number(parameters.get('size')) : Number.NaN
    // Before anything of it is read, let alone stored. `refuse` reads on for a while so that the client sees why.
    if (!(size <= maxBytes)) return refuse(connection, `59 the size is needed, and at most ${maxBytes}\r\n`)

    const temporary = join(root, `.upload-${randomUUID()}`)
    try {
      const file = await open(temporary, 'wx', 0o644)
      try {
        for await (const chunk of readBody(connection, request, { size, timeoutMs: uploadMs }))
          await file.writeFile(chunk)
        await file.sync()
      } finally {
        await file.close()
      }
      // Whoever reads meanwhile gets the old file or the new one, and never half of either.
      await rename(temporary, join(root, name))
      connection.stream.end(`30 gemini://${endpoint}/${name}\r\n`)
    } catch (error) {
      if (!(error instanceof ShortBodyError)) throw error // which destroys the connection
      await refuse(connection, '59 that was less than announced\r\n')
    } finally {
      await rm(temporary, { force: true })
    }
  }

  async function download(connection: ServerConnection, { target }: Admitted): Promise<void> {
    await using file = await openInsideRoot(root, target.path, { index: 'index.gmi' })
    if (file === null) return refuse(connection, '51 there is no such page\r\n')
    const type = mediaTypes[extname(target.path.segments.at(-1) ?? 'index.gmi')] ?? 'application/octet-stream'
    connection.stream.write(`20 ${type}\r\n`)
    await pipeline(file.createReadStream(), connection.stream)
  }
}

/** In a time that does not tell how much of it was right. */
function isSame(a: string, b: string): boolean {
  const [x, y] = [a, b].map((text) => createHash('sha256').update(text).digest())
  return x !== undefined && y !== undefined && timingSafeEqual(x, y)
}

async function main(root = 'capsule', certFile = 'cert.pem', keyFile = 'key.pem', ...members: string[]): Promise<void> {
  await mkdir(root, { recursive: true })
  const context = await createServerContext({ certificates: [{ certFile, keyFile }], clientCertificates: 'request' })
  const token = process.env.TITAN_TOKEN
  await createTitanServer({ root, context, served: ['localhost'], members, token }).listen(1965)
  console.log(`serving ${root} at gemini://localhost/ and titan://localhost/`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(...process.argv.slice(2))
