// A Spartan server: no TLS, so no certificates, and the same middleware all the same.
//
//   npx tsx docs/examples/spartan-server.ts FOLDER PORT
import { pipeline } from 'node:stream/promises'
import { pathToFileURL } from 'node:url'
import {
  admit,
  ConnectionLimiter,
  createPlaintextServer,
  type DenialReason,
  type Denied,
  InvalidNameError,
  type Listener,
  MiddlewareChain,
  openInsideRoot,
  RateLimiter,
  type RequestTarget,
  refuse,
  type ServerConnection,
  targetFromParts,
} from 'tlacacoca/middleware'

// Spartan has one digit: 4 for the client's mistakes and 5 for the server's. It has no certificates to ask for.
const status: Record<DenialReason, string> = {
  rate_limit: '5 too many requests',
  access_denied: '4 this address is not welcome here',
  cert_required: '4 not available over Spartan',
  cert_not_authorized: '4 not available over Spartan',
  cert_not_valid: '4 not available over Spartan',
  identity_changed: '4 not available over Spartan',
  busy: '5 too many connections',
  bad_request: '4 this is not a request',
  too_large: '4 the request is too long',
  timeout: '4 the request took too long',
  wrong_host: '4 this host is not served here',
  internal_error: '5 something went wrong here',
}

const statusLine = (denied: Denied): string => {
  const wait = denied.retryAfterSeconds === undefined ? '' : `, try again in ${denied.retryAfterSeconds} seconds`
  return `${status[denied.denialReason]}${wait}\r\n`
}

/** `example.org /path 0`: host, path, and the length of what is uploaded, which this server does not take. */
function parseRequest(line: string, served: readonly string[]): RequestTarget {
  const [host = '', path = '', length = '', ...more] = line.split(' ')
  if (more.length > 0 || length !== '0') {
    throw new InvalidNameError('ERR_TLACACOCA_TARGET_INVALID', 'a request has three parts, the last of them 0')
  }
  return targetFromParts({ scheme: 'spartan', host, port: 300, path }, { served })
}

export function createSpartanServer(root: string, served: readonly string[], burst = 10): Listener {
  const guard = new MiddlewareChain([new RateLimiter({ capacity: burst, refillPerSecond: 1 })])

  const serve = async (connection: ServerConnection): Promise<void> => {
    const parse = (line: string) => parseRequest(line, served)
    const request = await admit(connection, { parse, guard, onError: console.error })
    if (!request.allowed) return refuse(connection, statusLine(request))

    await using file = await openInsideRoot(root, request.target.path, { index: 'index.gmi' })
    if (file === null) return refuse(connection, '4 there is no such page\r\n')
    connection.stream.write('2 text/gemini\r\n')
    await pipeline(file.createReadStream(), connection.stream)
  }
  return createPlaintextServer(serve, { guards: [new ConnectionLimiter()] })
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [root = 'capsule', port = '3000'] = process.argv.slice(2)
  const server = createSpartanServer(root, ['localhost'])
  await server.listen(Number(port))
  console.log(`serving ${root} at spartan://localhost:${port}/`)
}
