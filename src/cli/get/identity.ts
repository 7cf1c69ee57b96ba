// Which certificate is shown to a server that asks for one: what the user says, or what the wallet has for the URL.

import { access } from 'node:fs/promises'
import type { Passphrase } from '../../certificate/passphrase.ts'
import { type Identity, IdentityWallet } from '../../identity/index.ts'
import type { ConnectOptions } from '../../tls/index.ts'
import { Declined, UsageError } from '../exit-code.ts'
import { findIdentity } from '../identity/wallet.ts'
import { readInput } from '../input.ts'
import { type CliIo, requireYes } from '../io.ts'
import { type PassphraseOptions, readPassphraseFor } from '../passphrase.ts'
import { walletFolder } from '../places.ts'
import { isEncrypted, readPrivateKey } from '../private-key.ts'
import type { GeminiUrl } from './url.ts'

/** The options that say what is shown. */
export interface IdentityOptions extends PassphraseOptions {
  /** False for none at all. */
  readonly identity?: string | false
  readonly wallet?: string
  readonly cert?: string
  readonly key?: string
}

/** What `connect` is told about certificates. */
export type Credentials = Pick<ConnectOptions, 'identity' | 'clientCertificateStore'>

/** Says for each request of one command what to show. */
export class IdentityChooser implements AsyncDisposable {
  readonly #io: CliIo
  readonly #wallet: IdentityWallet | null
  /** What the user named, which is for the server of the first URL alone. */
  readonly #named: { readonly credentials: Credentials; readonly identity: Identity | null } | null

  private constructor(
    io: CliIo,
    wallet: IdentityWallet | null,
    named: { readonly credentials: Credentials; readonly identity: Identity | null } | null,
  ) {
    this.#io = io
    this.#wallet = wallet
    this.#named = named
  }

  static async open(io: CliIo, options: IdentityOptions): Promise<IdentityChooser> {
    const { cert, key, identity } = options
    if ((cert === undefined) !== (key === undefined)) throw new UsageError('--cert and --key belong together')
    if (cert !== undefined && key !== undefined) {
      if (typeof identity === 'string') throw new UsageError('--identity excludes --cert and --key')
      const stored = await readPrivateKey(io, key, options)
      const credentials = {
        identity: {
          cert: Buffer.from(await readInput(io, cert)).toString('latin1'),
          key: Buffer.from(stored.bytes).toString('latin1'),
          ...(stored.passphrase === undefined ? {} : { passphrase: stored.passphrase }),
        },
      }
      return new IdentityChooser(io, null, { credentials, identity: null })
    }
    if (identity === false) return new IdentityChooser(io, null, null)
    const wallet = await openWallet(io, options)
    if (typeof identity !== 'string') return new IdentityChooser(io, wallet, null)
    if (wallet === null) throw new UsageError(`there is no identity ${identity}, and no wallet either`)
    try {
      const chosen = findIdentity(wallet, identity)
      const credentials = { identity: await wallet.clientIdentity(chosen.id) }
      return new IdentityChooser(io, wallet, { credentials, identity: chosen })
    } catch (error) {
      await wallet.close()
      throw error
    }
  }

  /** What to show for a URL, after those that led to it by redirects. */
  async choose(url: GeminiUrl, redirectedFrom: readonly GeminiUrl[]): Promise<Credentials> {
    const isElsewhere = redirectedFrom.some(({ endpoint }) => !endpoint.equals(url.endpoint))
    if (this.#named !== null) {
      if (isElsewhere) {
        this.#io.stderr.write(`The identity is not shown to ${url.endpoint}, where you did not send it.\n`)
        return {}
      }
      const { credentials, identity } = this.#named
      if (identity !== null) await this.#clear(identity, url)
      return credentials
    }
    const options = { redirectedFrom: redirectedFrom.map(({ text }) => text) }
    if (this.#wallet === null || this.#wallet.forUrl(url.text, options) === null) return {}
    return { clientCertificateStore: this.#wallet.store(url.text, options) }
  }

  /** Two servers that see one certificate know that it is one user, so whoever shows it to a second one is asked. */
  async #clear({ id, name, fingerprint }: Identity, { endpoint, text }: GeminiUrl): Promise<void> {
    const wallet = this.#wallet
    if (wallet === null) return
    const clearance = wallet.check(id, { endpoint, protocol: 'TLSv1.3' })
    if (!clearance.cleared) {
      const question = `Another server knows ${name ?? fingerprint}. Show it to ${endpoint} as well?`
      if (!this.#io.canAsk) throw new Declined(`${question} Nobody can be asked here, so it is not`)
      await requireYes(this.#io, question, false)
      await wallet.confirm(id, endpoint, 'second_host')
    }
    wallet.used(id, text)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#wallet?.close()
  }
}

/** The wallet; null if there is none, or if it is locked and nobody has said that it is needed. */
async function openWallet(io: CliIo, options: IdentityOptions): Promise<IdentityWallet | null> {
  const directory = options.wallet ?? walletFolder(io)
  const isNeeded = options.wallet !== undefined || typeof options.identity === 'string'
  const isThere = await access(directory).then(
    () => true,
    // Whatever else there is to say of it is said by whoever reads it.
    ({ code }: NodeJS.ErrnoException) => code !== 'ENOENT' && code !== 'ENOTDIR',
  )
  if (!isThere) {
    if (options.wallet !== undefined) throw new UsageError(`there is no wallet ${directory}`)
    return null
  }
  const open = (passphrase?: Passphrase) =>
    IdentityWallet.open({ directory, clock: io.clock, ...(passphrase === undefined ? {} : { passphrase }) })
  try {
    return await open()
  } catch (error) {
    if (!isEncrypted(error)) throw error
    // Whoever fetches a page does not expect to be asked for the key of a wallet that it may not need.
    const passphrase = await readPassphraseFor(isNeeded ? io : { ...io, canAsk: false }, 'the wallet', options)
    if (passphrase !== null) return open(passphrase)
    if (isNeeded) throw error
    io.stderr.write('The identities are locked by a passphrase, so none is shown.\n')
    return null
  }
}
