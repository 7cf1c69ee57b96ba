import { requireInteger, requireOptions } from '../internal/arguments.ts'
import type { ClientTLS } from '../tls/sans-io/client-tls.ts'
import type { ServerTLS } from '../tls/sans-io/server-tls.ts'
import { type TLSDuplex, type TLSDuplexOptions, tlsDuplex } from '../tls/sans-io/tls-duplex.ts'
import { MemoryWire } from './memory-wire.ts'

/** What {@link wirePair} takes besides the two sides. */
export interface WirePairOptions {
  /** How many bytes the wire delivers at a time, at most: with 1, whatever depends on portions shows. Default: no limit. */
  readonly chunkBytes?: number
  /** For the client's end, as `tlsDuplex` takes them. */
  readonly client?: TLSDuplexOptions
  /** For the server's end. */
  readonly server?: TLSDuplexOptions
}

/** Two ends of one TLS connection. */
export interface WirePair {
  /** The end of the side that connects. */
  readonly client: TLSDuplex
  /** The end of the other side. */
  readonly server: TLSDuplex
  /**
   * Cuts the wire, with everything that is on its way lost: an end that has not heard the other's close_notify is
   * destroyed with a `TruncatedError`.
   */
  cut(): void
}

/**
 * Connects a client and a server in memory, for tests of a protocol over TLS: with real handshakes and certificates, and
 * without sockets, ports or waiting for either. The handshake begins at once; what is written before it is done waits.
 *
 * @throws {TypeError | RangeError} If an argument is wrong.
 * @example
 * import { text } from 'node:stream/consumers'
 * import { generateSelfSignedCertificate } from 'tlacacoca'
 * import { KeyedChain } from 'tlacacoca/certificate'
 * import { wirePair } from 'tlacacoca/testing'
 * import { ClientTLS, pins, ServerCertificateChain, ServerTLS } from 'tlacacoca/tls'
 *
 * const made = await generateSelfSignedCertificate({ hostname: 'example.org' })
 * const chain = await KeyedChain.fromPem({ cert: made.certificatePem, key: made.privateKeyPem })
 * const { client, server } = wirePair(
 *   new ClientTLS({ serverHostname: 'example.org', port: 1965, verifier: pins([made.fingerprint]) }),
 *   new ServerTLS({ certificates: new ServerCertificateChain(chain) }),
 *   { chunkBytes: 1 },
 * )
 * server.once('data', (line) => server.end(`20 text/plain\r\nyou have asked for ${line}`))
 * client.write('gemini://example.org/\r\n')
 * console.log(await text(client))
 */
export function wirePair(client: ClientTLS, server: ServerTLS, options: WirePairOptions = {}): WirePair {
  requireOptions('options', options, ['chunkBytes', 'client', 'server'])
  const { chunkBytes = Number.MAX_SAFE_INTEGER } = options
  requireInteger('chunkBytes', chunkBytes, 1, Number.MAX_SAFE_INTEGER)
  const wire = MemoryWire.pair(chunkBytes)
  return {
    // First the server, as in life: nobody can say hello to one that is not there.
    server: tlsDuplex(wire[1], server, options.server),
    client: tlsDuplex(wire[0], client, options.client),
    cut() {
      for (const end of wire) end.destroy()
    },
  }
}
