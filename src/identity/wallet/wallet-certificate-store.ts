import { chainLeadsTo } from '../../certificate/chain-names.ts'
import type { KeyedChain } from '../../certificate/keyed-chain.ts'
import type { ChainAnswer } from '../../tls/sans-io/answer.ts'
import type { CertificateAuthorityName, ClientCertificateStore } from '../../tls/sans-io/client-certificate-store.ts'

/** The identity of a URL as a `ClientCertificateStore`. It has the methods of one; the class itself belongs to TLS. */
export class WalletCertificateStore implements ClientCertificateStore {
  readonly #ask: () => Promise<KeyedChain | null>

  constructor(ask: () => Promise<KeyedChain | null>) {
    this.#ask = ask
  }

  async getCertificateChainForRoots(roots: readonly CertificateAuthorityName[], answer: ChainAnswer): Promise<void> {
    const chain = await this.#ask()
    const names = roots.map(({ der }) => der)
    answer(chain !== null && chainLeadsTo(chain, names) ? chain : null)
  }

  async getDefaultCertificateChain(answer: ChainAnswer): Promise<void> {
    answer(await this.#ask())
  }
}
