// A Gemini server for a folder of files. It asks for client certificates, and lets rules decide where they are needed.
//
//   npx tsx docs/examples/gemini-server.ts FOLDER
//
// makes a certificate for localhost beside the folder on the first run, and serves gemini://localhost/ until Ctrl-C.
import { existsSync } from 'node:fs'
import { basename, extname, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { pathToFileURL } from 'node:url'
import {
  AccessControl,
  admit,
  BanList,
  CertificateAuth,
  type CertificateRule,
  ConnectionLimiter,
  createServer,
  createServerContext,
  generateSelfSignedCertificate,
  type Listener,
  MiddlewareChain,
  openInsideRoot,
  parseTarget,
  RateLimiter,
  refuse,
  type ServerConnection,
  type ServerContext,
  saveCertificateFiles,
} from 'tlacacoca'
import { statusLine } from './gemini-status.ts'

export interface CapsuleOptions {
  /** The folder that holds the capsule. */
  readonly root: string
  readonly context: ServerContext
  /** The host names that this server answers for. */
  readonly served: readonly string[]
  readonly rules?: readonly CertificateRule[]
  readonly denyList?: readonly string[]
  /** How many requests an address may make at once; one more a second after that. Default 10. */
  readonly burst?: number
  /** How long a request may take to arrive, in milliseconds. Default ten seconds. */
  readonly requestTimeoutMs?: number
  /** Told of each request that arrived, whatever became of it. */
  readonly onRequest?: () => void
}

export function createCapsule(options: CapsuleOptions): Listener {
  const { burst = 10, requestTimeoutMs: timeoutMs = 10_000 } = options
  // Who goes on asking after a 44 is not let in at all for a while.
  const bans = new BanList()
  const guard = new MiddlewareChain([
    new AccessControl({ denyList: options.denyList ?? [] }),
    new RateLimiter({ capacity: burst, refillPerSecond: 1, bans }),
    new CertificateAuth({ rules: options.rules ?? [] }),
  ])
  const parse = (line: string) => parseTarget(line, { schemes: { gemini: 1965 }, served: options.served })

  const serve = async (connection: ServerConnection): Promise<void> => {
    const request = await admit(connection, { parse, guard, timeoutMs, onError: console.error })
    options.onRequest?.()
    if (!request.allowed) return refuse(connection, statusLine(request))

    await using file = await openInsideRoot(options.root, request.target.path, { index: 'index.gmi' })
    if (file === null) return refuse(connection, '51 there is no such page\r\n')
    connection.stream.write(`20 ${mediaType(request.target.path.toString())}\r\n`)
    await pipeline(file.createReadStream(), connection.stream)
  }
  return createServer(options.context, serve, { guards: [bans, new ConnectionLimiter()] })
}

function mediaType(path: string): string {
  if (path.endsWith('/')) return 'text/gemini'
  return mediaTypes[extname(basename(path))] ?? 'application/octet-stream'
}

const mediaTypes: Record<string, string> = { '.gmi': 'text/gemini', '.txt': 'text/plain', '.png': 'image/png' }

async function main(root = 'capsule'): Promise<void> {
  if (!existsSync(root)) throw new Error(`there is no folder ${resolve(root)} to serve`)
  const [certFile, keyFile] = [`${resolve(root)}.cert.pem`, `${resolve(root)}.key.pem`]
  if (!existsSync(certFile)) {
    const made = await generateSelfSignedCertificate({ hostname: 'localhost', validDays: 3650 })
    await saveCertificateFiles(made, { certFile, keyFile })
  }
  const context = await createServerContext({ certificates: [{ certFile, keyFile }], clientCertificates: 'request' })
  const server = createCapsule({ root, context, served: ['localhost:1965'] })
  await server.listen(1965)
  console.log(`serving ${resolve(root)} at gemini://localhost/`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv[2])
