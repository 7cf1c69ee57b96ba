// Opening an authority's directory: everything that can be checked without the passphrase comes first, so that nobody
// types one in vain.

import type { KeyObject } from 'node:crypto'
import { Certificate } from '../certificate/certificate.ts'
import { loadPrivateKey } from '../certificate/private-key.ts'
import { PrivateKeyError } from '../errors.ts'
import { requireFunction, requireOptions } from '../internal/arguments.ts'
import { type Clock, systemClock } from '../internal/clock.ts'
import type { AuthorityIdentity, AuthorityWarning } from './identity-directory.ts'
import {
  readChain,
  requireAuthority,
  requirePublicKey,
  requireRequest,
  requireSigningKey,
} from './identity-directory-checks.ts'
import {
  checkModes,
  inFile,
  inFileAsync,
  pathsIn,
  readContents,
  requireDirectoryPath,
} from './identity-directory-files.ts'
import { Warnings } from './identity-directory-warnings.ts'
import { type PassphraseSource, readPassphrase, requirePassphraseSource } from './passphrase-source.ts'

/** How to open an authority. */
export interface OpenAuthorityOptions {
  /** Where the passphrase comes from. It is not asked for if the key is not encrypted. */
  readonly passphrase?: PassphraseSource | undefined
  /** Where "now" comes from. Default: the computer's clock. */
  readonly clock?: Clock
  /** Called for each warning, once the authority is open. They are in its `warnings` as well. */
  readonly onWarning?: (warning: AuthorityWarning) => void
}

/**
 * Opens the authority in a directory, which may have been made by any program. Nothing in it is changed.
 *
 * The certificate (`ca.cert.pem`) and the private key (`ca.private_key.pem`) must be there. The public key
 * (`ca.public_key.pem`), the request (`ca.csr.pem`) and the authorities above (`ca.chain.pem`) are checked if they are.
 * The key is read in every form that `loadPrivateKey` reads.
 *
 * @throws {FileError} FILE_NOT_FOUND if there is no authority in the directory; FILE_UNREADABLE.
 * @throws {AuthorityError} AUTHORITY_INCOMPLETE if a part of it is missing; AUTHORITY_EXPOSED if everybody can read the key
 *   or replace the files; AUTHORITY_MISMATCH if the files do not belong together; AUTHORITY_NOT_AN_AUTHORITY if the
 *   certificate may not sign others; AUTHORITY_KEY_REFUSED if its key is too weak or of a kind that is not supported;
 *   AUTHORITY_EXPIRED, AUTHORITY_NOT_YET_VALID; AUTHORITY_CHAIN_INVALID; AUTHORITY_PASSPHRASE_REQUIRED and
 *   AUTHORITY_PASSPHRASE_INVALID as {@link PassphraseSource} says.
 * @throws {PrivateKeyError} KEY_PASSPHRASE_WRONG, KEY_MALFORMED.
 * @throws {CertificateError} If a file does not hold what its name says; {@link CertificateRequestError} for the request.
 * @example
 * import { openAuthorityDirectory } from 'tlacacoca/authority'
 *
 * const authority = await openAuthorityDirectory('/var/lib/ca', { passphrase: { file: '/run/credentials/ca/passphrase' } })
 * for (const { message } of authority.warnings) console.warn(message)
 * console.log(authority.certificate.subject.toString())
 */
export async function openAuthorityDirectory(
  path: string,
  options: OpenAuthorityOptions = {},
): Promise<AuthorityIdentity> {
  requireDirectoryPath(path)
  requireOptions('options', options, ['passphrase', 'clock', 'onWarning'])
  const { passphrase, clock = systemClock, onWarning } = options
  requirePassphraseSource(passphrase)
  requireFunction('clock', clock)
  if (onWarning !== undefined) requireFunction('onWarning', onWarning)
  const at = new Date(clock())

  const paths = pathsIn(path)
  const { keyExposedToGroup } = await checkModes(path, paths.privateKey)
  const contents = await readContents(path)
  const certificate = inFile(paths.certificate, () => Certificate.from(contents.certificate))
  requireAuthority(paths.certificate, certificate, at)
  if (contents.publicKey !== null) requirePublicKey(paths.publicKey, contents.publicKey, certificate)
  if (contents.request !== null) requireRequest(paths.request, contents.request, certificate)
  const chain = contents.chain === null ? [] : readChain(paths.chain, contents.chain, certificate)

  const warnings = new Warnings()
  if (keyExposedToGroup) warnings.keyFileExposed(paths.privateKey)
  const privateKey = await inFileAsync(paths.privateKey, () =>
    openKey(paths.privateKey, contents.privateKey, passphrase, warnings),
  )
  requireSigningKey(paths.privateKey, privateKey, certificate)
  warnings.about(certificate, chain, at)
  const { list } = warnings
  for (const warning of list) onWarning?.(warning)
  return Object.freeze({ certificate, chain: Object.freeze(chain), privateKey, path, warnings: list })
}

/** Asks for the passphrase only if the key turns out to need one. */
async function openKey(
  keyPath: string,
  source: Uint8Array,
  passphrase: PassphraseSource | undefined,
  warnings: Warnings,
): Promise<KeyObject> {
  try {
    const key = await loadPrivateKey(source)
    warnings.keyNotEncrypted(keyPath)
    return key
  } catch (error) {
    if (!(error instanceof PrivateKeyError && error.code === 'ERR_TLACACOCA_KEY_PASSPHRASE_REQUIRED')) throw error
  }
  const onExposedFile = (path: string) => warnings.passphraseFileExposed(path)
  const given = await readPassphrase(passphrase, { keyPath, isNew: false, onExposedFile })
  return loadPrivateKey(source, { passphrase: given })
}
