// A Scroll server. A Scroll request is a URL, a space and the languages that the reader understands; the answer begins
// with a status line and the page's author and dates. Its status codes for denials are Gemini's.
//
//   npx tsx docs/examples/scroll-server.ts CERTIFICATE KEY FOLDER PORT
import { pipeline } from 'node:stream/promises'
import { pathToFileURL } from 'node:url'
import {
  admit,
  ConnectionLimiter,
  createServer,
  createServerContext,
  type Listener,
  MiddlewareChain,
  openInsideRoot,
  parseTarget,
  RateLimiter,
  refuse,
  type ServerConnection,
  type ServerContext,
} from 'tlacacoca'
import { statusLine } from './gemini-status.ts'

export function createScrollServer(context: ServerContext, root: string, served: readonly string[]): Listener {
  const guard = new MiddlewareChain([new RateLimiter({ capacity: 10, refillPerSecond: 1 })])
  const schemes = { scroll: 5699 }

  const serve = async (connection: ServerConnection): Promise<void> => {
    const request = await admit(connection, {
      guard,
      maxBytes: 2048,
      onError: console.error,
      parse: (line) => parseTarget(line.split(' ', 1)[0] ?? '', { schemes, served }),
    })
    if (!request.allowed) return refuse(connection, statusLine(request))

    await using file = await openInsideRoot(root, request.target.path, { index: 'index.scroll' })
    if (file === null) return refuse(connection, '51 there is no such page\r\n')
    const changed = (await file.stat()).mtime.toISOString()
    // The author is not known here. Whatever languages were asked for, there is one.
    connection.stream.write(`20 text/scroll\r\n\r\n${changed}\r\n${changed}\r\n`)
    await pipeline(file.createReadStream(), connection.stream)
  }
  return createServer(context, serve, { guards: [new ConnectionLimiter()] })
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [certFile = 'cert.pem', keyFile = 'key.pem', root = 'capsule', port = '5699'] = process.argv.slice(2)
  const context = await createServerContext({ certificates: [{ certFile, keyFile }], clientCertificates: 'request' })
  const server = createScrollServer(context, root, ['localhost'])
  await server.listen(Number(port))
  console.log(`serving ${root} at scroll://localhost:${port}/`)
}
