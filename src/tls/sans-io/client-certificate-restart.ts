import type { KeyedChain } from '../../certificate/keyed-chain.ts'
import { TlacacocaError } from '../../errors.ts'

/**
 * The server was accepted and asked for a certificate, the store gave one, and TLS as Node has it cannot take a
 * certificate in the middle of a handshake. So this connection is over, with nothing of it sent; start another one with
 * {@link ClientCertificateRestart.chain}.
 */
export class ClientCertificateRestart extends TlacacocaError {
  override readonly code = 'ERR_TLACACOCA_CLIENT_CERTIFICATE_RESTART' as const
  /** What the store answered. */
  readonly chain: KeyedChain

  constructor(chain: KeyedChain) {
    super('the server asks for the certificate that the store has chosen; connect again with it')
    this.chain = chain
  }
}
