import type { PeerVerifier } from '../../certificate/peer-verifier.ts'

/**
 * Accepts everybody who holds the key of any certificate. The connection is encrypted, and nobody knows to whom: somebody
 * in the middle reads and changes everything. For experiments, and for servers whose answer is not believed anyway.
 *
 * @example
 * import { parseEndpoint } from 'tlacacoca'
 * import { connect, dangerouslyAcceptAny } from 'tlacacoca/tls'
 *
 * const { peer, close } = await connect({ endpoint: parseEndpoint('localhost:1965'), verify: dangerouslyAcceptAny() })
 * console.log(`whoever answers there shows ${peer.fingerprint}`)
 * await close()
 */
export function dangerouslyAcceptAny(): PeerVerifier {
  return {
    name: 'dangerouslyAcceptAny',
    verify: () => ({ accept: true, ground: 'dangerouslyAcceptAny' }),
  }
}
