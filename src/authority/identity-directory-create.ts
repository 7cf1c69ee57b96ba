// Creating an authority: a root, whose certificate is signed by its own key.

import type { KeyObject } from 'node:crypto'
import type { Certificate } from '../certificate/certificate.ts'
import { loadCertificateBuilder } from '../certificate/certificate-builder.ts'
import { createCertificateRequest } from '../certificate/certificate-request-create.ts'
import { readValidity, type Validity } from '../certificate/generate-options.ts'
import { generateKey } from '../certificate/key-generation.ts'
import { type NameField, readNameFields, type WritableAttribute } from '../certificate/name-fields.ts'
import type { Passphrase } from '../certificate/passphrase.ts'
import { formatPem } from '../certificate/pem.ts'
import { signerFor } from '../certificate/signing.ts'
import { requireBoolean, requireFunction, requireInteger, requireOneOf, requireOptions } from '../internal/arguments.ts'
import { ensurePrivateDirectory, refuseTarget } from '../internal/atomic-file.ts'
import { writeFilesAtomic } from '../internal/atomic-file-set.ts'
import { type Clock, systemClock } from '../internal/clock.ts'
import { type Duration, parseDuration } from './duration.ts'
import type { AuthorityIdentity } from './identity-directory.ts'
import { requireAuthority } from './identity-directory-checks.ts'
import { pathsIn, requireDirectoryPath, requireSafeDirectory } from './identity-directory-files.ts'
import { Warnings } from './identity-directory-warnings.ts'
import { type PassphraseSource, readPassphrase, requirePassphraseSource } from './passphrase-source.ts'

/** What a new authority is to be. */
export interface CreateAuthorityOptions {
  /** Its name, field by field, at least one: `[['C', 'US'], ['O', 'Random Authority, Inc.'], ['CN', 'ca.net']]`. */
  readonly subject: readonly NameField[]
  /** For how long it is valid. Default ten years. */
  readonly validity?: Duration
  /** Default `P-256`. RSA is for peers that know nothing else. */
  readonly key?: AuthorityKeyKind
  /** Where the passphrase comes from that encrypts the key. */
  readonly passphrase?: PassphraseSource | undefined
  /** Leaves the key as it is, so that whoever gets at its file has the key. It excludes a passphrase. */
  readonly dangerouslyUnencrypted?: boolean
  /** How many further authorities may stand between it and what they sign. Default 1. */
  readonly pathLength?: number
  /** Where "now" comes from. Default: the computer's clock. */
  readonly clock?: Clock
}

/** The keys that an authority can be created with. */
export type AuthorityKeyKind = 'P-256' | 'P-384' | 'RSA-3072' | 'RSA-4096'

/**
 * Creates an authority in a directory: a new key, encrypted, and a certificate that it signs itself, X.509 version 3. The
 * directory may exist already; if not, it is created, open to its owner only (0700), as is the file of the key (0600). The
 * other files are for everybody to read (0644). A umask can take away from that.
 *
 * Nothing is ever replaced: if one of the files is there, none is written. A creation that is killed half way leaves no
 * certificate, and perhaps some of the other files, which {@link openAuthorityDirectory} reports.
 *
 * @throws {FileError} FILE_EXISTS if there is such a file already; FILE_UNWRITABLE.
 * @throws {AuthorityError} AUTHORITY_PASSPHRASE_REQUIRED if there is no passphrase; AUTHORITY_PASSPHRASE_INVALID;
 *   AUTHORITY_EXPOSED if everybody can replace the files of the directory.
 * @throws {TypeError} For an option of the wrong type, an unknown or missing one, or two that exclude each other.
 * @throws {RangeError} For a value that cannot be in a certificate; the message names the option.
 * @example
 * import { createAuthorityDirectory } from 'tlacacoca/authority'
 *
 * const authority = await createAuthorityDirectory('/var/lib/ca', {
 *   subject: [['C', 'US'], ['O', 'Random Authority, Inc.'], ['CN', 'ca.net']],
 *   passphrase: { file: '/root/ca-passphrase' },
 * })
 * console.log(authority.certificate.fingerprint)
 */
export async function createAuthorityDirectory(
  path: string,
  options: CreateAuthorityOptions,
): Promise<AuthorityIdentity> {
  requireDirectoryPath(path)
  const plan = readPlan(options)
  const paths = pathsIn(path)
  await requireSafeDirectory(path)
  // Before anybody is asked for a passphrase, and before the search for a key.
  for (const taken of Object.values(paths)) await refuseTarget(taken, false)

  const warnings = new Warnings()
  if (plan.unencrypted) warnings.keyNotEncrypted(paths.privateKey)
  const onExposedFile = (file: string) => warnings.passphraseFileExposed(file)
  const passphrase = plan.unencrypted
    ? undefined
    : await readPassphrase(plan.passphrase, { keyPath: paths.privateKey, isNew: true, onExposedFile })

  const { privateKey, certificate, requestPem, privateKeyPem } = await makeAuthority(plan, passphrase)
  // What opening will ask. A signature that went wrong must not get out: with RSA it can give the key away.
  requireAuthority(paths.certificate, certificate, plan.at)
  await ensurePrivateDirectory(path)
  await writeFilesAtomic(
    [
      { path: paths.privateKey, contents: privateKeyPem, mode: 0o600 },
      { path: paths.publicKey, contents: formatPem('PUBLIC KEY', certificate.subjectPublicKeyInfo), mode: 0o644 },
      { path: paths.request, contents: requestPem, mode: 0o644 },
      { path: paths.certificate, contents: certificate.toPem(), mode: 0o644 },
    ],
    { overwrite: false },
  )
  warnings.about(certificate, [], plan.at)
  return Object.freeze({ certificate, chain: Object.freeze([]), privateKey, path, warnings: warnings.list })
}

const KEY_KINDS = ['P-256', 'P-384', 'RSA-3072', 'RSA-4096'] as const satisfies readonly AuthorityKeyKind[]
const OPTIONS = ['subject', 'validity', 'key', 'passphrase', 'dangerouslyUnencrypted', 'pathLength', 'clock'] as const
const DEFAULT_YEARS = 10
// RFC 5280 sets no limit. No chain that anybody follows is as long.
const MAX_PATH_LENGTH = 255

interface Plan {
  readonly subject: readonly WritableAttribute[]
  readonly validity: Validity
  readonly key: AuthorityKeyKind
  readonly passphrase: PassphraseSource | undefined
  readonly unencrypted: boolean
  readonly pathLength: number
  readonly at: Date
}

function readPlan(options: CreateAuthorityOptions): Plan {
  requireOptions('options', options, OPTIONS)
  const { key = 'P-256', passphrase, dangerouslyUnencrypted: unencrypted = false, pathLength = 1 } = options
  const { validity = DEFAULT_YEARS, clock = systemClock } = options
  const subject = readNameFields(options.subject)
  // RFC 5280 section 4.1.2.6: an authority must have a name.
  if (subject.length === 0) throw new RangeError('"subject" expected at least one field, got none')
  requireOneOf('key', key, KEY_KINDS)
  requirePassphraseSource(passphrase)
  requireBoolean('dangerouslyUnencrypted', unencrypted)
  if (unencrypted && passphrase !== undefined) {
    throw new TypeError('"passphrase" and "dangerouslyUnencrypted" exclude each other')
  }
  requireInteger('pathLength', pathLength, 0, MAX_PATH_LENGTH)
  requireFunction('clock', clock)
  const now = clock()
  const at = new Date(now)
  const notAfter = parseDuration(validity, 'validity').from(at)
  return { subject, validity: readValidity({ notAfter }, () => now), key, passphrase, unencrypted, pathLength, at }
}

interface NewAuthority {
  readonly privateKey: KeyObject
  readonly certificate: Certificate
  readonly requestPem: string
  readonly privateKeyPem: string
}

async function makeAuthority(plan: Plan, passphrase: Passphrase | undefined): Promise<NewAuthority> {
  const { privateKey, publicKey } = await generateKey(plan.key)
  const spki = publicKey.export({ format: 'der', type: 'spki' })
  const builder = await loadCertificateBuilder()
  const { extensions: make } = builder
  const name = builder.name(plan.subject)
  const extensions = [
    make.basicConstraints({ ca: true, pathLength: plan.pathLength }),
    make.keyUsage(['keyCertSign', 'cRLSign']),
    make.subjectKeyIdentifier(spki),
  ]
  const parts = { issuer: name, subject: name, validity: plan.validity, spki, extensions }
  const certificate = await builder.build(parts, signerFor(privateKey, spki))
  const { requestPem, privateKeyPem } = await createCertificateRequest({
    key: privateKey,
    subject: plan.subject.map(({ oid, value }) => [oid, value]),
    ...(passphrase === undefined ? {} : { passphrase }),
  })
  return { privateKey, certificate, requestPem, privateKeyPem }
}
