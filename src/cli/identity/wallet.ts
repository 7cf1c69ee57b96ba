// What all commands about identities begin with: the wallet, and which of its identities.

import type { Command } from 'commander'
import type { Fingerprint } from '../../certificate/fingerprint.ts'
import { parseFingerprint } from '../../certificate/fingerprint.ts'
import type { Passphrase } from '../../certificate/passphrase.ts'
import { InvalidNameError, PrivateKeyError, TlacacocaError } from '../../errors.ts'
import type { Identity } from '../../identity/wallet/identity.ts'
import { IdentityWallet } from '../../identity/wallet/identity-wallet.ts'
import type { IdentityValidity } from '../../identity/wallet/new-identity.ts'
import { escapeText } from '../../logging/safe-text.ts'
import { Explained, UsageError } from '../exit-code.ts'
import type { CliIo } from '../io.ts'
import { day, fromUser, readCount, readDate } from '../options.ts'
import { PASSPHRASE_VARIABLE, type PassphraseOptions, readPassphraseFor } from '../passphrase.ts'
import { walletFolder } from '../places.ts'
import { isEncrypted } from '../private-key.ts'

interface WalletOptions extends PassphraseOptions {
  readonly wallet?: string
}

/**
 * Opens the wallet that `--wallet` names, or the usual one. Somebody is asked for the passphrase only if it turns out to
 * need one.
 *
 * @param options.encrypt - Whether new keys are to be encrypted: then there must be a passphrase.
 */
export async function openWallet(
  io: CliIo,
  command: Command,
  { encrypt = false }: { readonly encrypt?: boolean } = {},
): Promise<IdentityWallet> {
  const { wallet = walletFolder(io), passphraseFile } = command.optsWithGlobals<WalletOptions>()
  const open = (passphrase: Passphrase | null) =>
    fromUser(() => {
      const opener = passphrase === null ? {} : { passphrase }
      return IdentityWallet.open({ directory: wallet, clock: io.clock, ...opener })
    })
  const silent: CliIo = { ...io, canAsk: false }
  const given = await readPassphraseFor(silent, wallet, { passphraseFile })
  if (given !== null) return open(given)
  try {
    const opened = await open(null)
    if (!encrypt) return opened
    await opened.close()
  } catch (error) {
    if (!(error instanceof PrivateKeyError) || !isEncrypted(error)) throw error
    const passphrase = await readPassphraseFor(io, wallet, {})
    if (passphrase !== null) return open(passphrase)
    throw new Explained(
      `the keys in ${wallet} are encrypted: say --passphrase-file, or set ${PASSPHRASE_VARIABLE}`,
      error,
    )
  }
  const chosen = await readPassphraseFor(io, wallet, {}, true)
  if (chosen === null) throw new UsageError('--encrypt needs a passphrase: say --passphrase-file')
  return open(chosen)
}

/** The identity that somebody means: by its id, its name, or the fingerprint of its certificate. */
export function findIdentity(wallet: IdentityWallet, text: string): Identity {
  const byId = wallet.get(text)
  if (byId !== null) return byId
  const fingerprint = readFingerprint(text)
  const found = wallet.list().filter((each) => each.name === text || each.fingerprint === fingerprint)
  const [identity] = found
  if (identity === undefined) throw new UsageError(`there is no identity ${text}; see: tlacacoca identity list`)
  if (found.length > 1) throw new UsageError(`${found.length} identities are called ${text}; name it by its id`)
  return identity
}

function readFingerprint(text: string): Fingerprint | null {
  try {
    return parseFingerprint(text, { of: 'certificate' })
  } catch (error) {
    if (error instanceof TlacacocaError || error instanceof InvalidNameError) return null
    throw error
  }
}

/** How long a certificate is to be valid, as options say it. */
export interface ValidityOptions {
  readonly days?: string
  readonly until?: string
  readonly neverExpires?: boolean
}

/** Undefined if nothing is said about it. */
export function readValidity({ days, until, neverExpires }: ValidityOptions): IdentityValidity | undefined {
  const given = [days, until, neverExpires].filter((each) => each !== undefined)
  if (given.length > 1) throw new UsageError('--days, --until and --never-expires exclude each other')
  if (neverExpires === true) return 'never_expires'
  if (days !== undefined) return { days: readCount('--days', days) }
  return until === undefined ? undefined : { until: readDate('--until', until) }
}

/** How an identity is called to its user. */
export function titleOf({ name, commonName, id }: Identity): string {
  return escapeText(name ?? commonName ?? id)
}

export function identityJson(identity: Identity) {
  const { id, name, notes, fingerprint, commonName, notAfter, validity, scopes, sites } = identity
  return {
    id,
    name,
    notes,
    fingerprint,
    publicKey: identity.certificate.publicKeyFingerprint,
    commonName,
    notAfter: notAfter?.toISOString() ?? null,
    validity,
    scopes: scopes.map(String),
    sites: sites.map(({ endpoint, firstUsedAt, lastUsedAt, confirmed }) => ({
      endpoint: String(endpoint),
      firstUsedAt: firstUsedAt?.toISOString() ?? null,
      lastUsedAt: lastUsedAt?.toISOString() ?? null,
      confirmed,
    })),
    createdAt: identity.createdAt?.toISOString() ?? null,
    lastUsedAt: identity.lastUsedAt?.toISOString() ?? null,
    formerCertificates: identity.formerCertificates.map((certificate) => certificate.fingerprint),
    replacedBy: identity.replacedBy,
  }
}

/** When an identity ends, and whether that is over. */
export function endOf({ notAfter, validity }: Identity): string {
  if (notAfter === null) return 'unreadable'
  if (notAfter.getUTCFullYear() === 9999) return 'never'
  return validity === 'valid' ? day(notAfter) : `${day(notAfter)} (${validity.replaceAll('_', ' ')})`
}
