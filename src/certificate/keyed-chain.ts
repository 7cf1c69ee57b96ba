import { KeyObject } from 'node:crypto'
import {
  ChainError,
  MoreThanOneLeafCertificateError,
  NoCertificateChainError,
  NoLeafCertificateError,
} from '../errors.ts'
import { requireBoolean, requireList, requireOptions, requireString, show } from '../internal/arguments.ts'
import { readFileBytes } from '../internal/atomic-file.ts'
import { Certificate } from './certificate.ts'
import { type Assembled, assembleChain, type Heap } from './chain.ts'
import { describe, factsAbout, type Member } from './chain-members.ts'
import {
  CHAIN_OPTIONS,
  type ChainOptions,
  type ChainSettings,
  type KeyedChainFiles,
  type KeyedChainPkcs12,
  type KeyedChainTexts,
  PEM_OPTIONS,
  type PemSettings,
  readOptions,
  readPemOptions,
} from './chain-options.ts'
import { chainErrorCode } from './chain-rules.ts'
import { keysIn, membersIn } from './chain-source.ts'
import { isOpenToOthers } from './file-permissions.ts'
import { MAX_CERTIFICATE_FILE_BYTES } from './load.ts'
import { datesRefusal, type PathPurpose } from './path-rules.ts'
import { type PathResult, validatePath } from './path-validation.ts'
import { formatPem } from './pem.ts'
import { readPkcs12 } from './pkcs12-read.ts'
import { exportPkcs8, publicHalf } from './private-key.ts'
import { textOf } from './source.ts'
import { type NamedText, requireLabels, strictBlocks } from './strict-pem.ts'
import { authoritiesOf, type TrustStore } from './trust-store.ts'

/** What is not right with a chain although it can be used. */
export interface ChainWarning {
  readonly code: 'expired' | 'not_yet_valid' | 'key_file_exposed'
  /** Whom it is about (RFC 4514). */
  readonly subject: string
  /** A sentence for a person. */
  readonly message: string
}

// Set inside the class, which alone can reach what is private in it.
let make: (assembled: Assembled, warnings: ChainWarning[]) => KeyedChain
let keyOf: (chain: KeyedChain) => KeyObject

/**
 * A certificate with its private key and the authorities above it, all checked to belong together: what a server or a
 * client shows of itself. It never changes, and its key does not come out of it again.
 *
 * @example
 * import { readFile } from 'node:fs/promises'
 * import { KeyedChain } from 'tlacacoca/certificate'
 *
 * const chain = await KeyedChain.fromPem({
 *   cert: await readFile('fullchain.pem', 'utf8'),
 *   key: await readFile('key.pem', 'utf8'),
 * })
 * for (const { message } of chain.warnings) console.warn(message)
 * console.log(chain.leaf.fingerprint, chain.sent.length)
 */
export class KeyedChain {
  readonly leaf: Certificate
  /** The leaf first, the root last if it is known. */
  readonly certificates: readonly Certificate[]
  /** What goes over the wire: everything but a root, which whoever trusts it has. A self-signed leaf is sent, of course. */
  readonly sent: readonly Certificate[]
  /** Members outside their dates, and a key file that others can read. A server must be able to start and say so. */
  readonly warnings: readonly ChainWarning[]
  readonly #key: KeyObject

  private constructor({ members, rooted, key }: Assembled, warnings: ChainWarning[]) {
    const certificates = members.map(({ certificate }) => certificate)
    this.leaf = members[0].certificate
    this.certificates = Object.freeze(certificates)
    this.sent = Object.freeze(rooted ? certificates.slice(0, -1) : [...certificates])
    this.warnings = Object.freeze(warnings.map((each) => Object.freeze(each)))
    this.#key = key
    Object.freeze(this)
  }

  /**
   * Reads a chain from PEM text. Every certificate must be part of the chain, in any order, and the key must be the
   * leaf's.
   *
   * @throws {ChainError} For whatever does not belong together or is not fit for the purpose: see its codes. Among them
   *   {@link NoLeafCertificateError}, {@link MoreThanOneLeafCertificateError}, {@link ExtraneousPrivateKeyError},
   *   {@link LeafCertificateHasNoPrivateKeyError} and, with `roots`, {@link NoCertificateChainError}.
   * @throws {PrivateKeyError} If the key cannot be read, or does not open.
   */
  static async fromPem(options: KeyedChainTexts): Promise<KeyedChain> {
    requireOptions('options', options, ['cert', 'key', ...PEM_OPTIONS])
    requireString('cert', options.cert)
    if (typeof options.key !== 'string') throw new TypeError('"key" expected a string')
    return readChain({ name: null, pem: options.cert }, { name: null, pem: options.key }, readPemOptions(options), [])
  }

  /**
   * Reads a chain from two PEM files, as {@link KeyedChain.fromPem} does; the errors name the file.
   *
   * @throws {FileError} If a file cannot be read, or is larger than 1 MiB.
   * @throws {ChainError} | {PrivateKeyError} As {@link KeyedChain.fromPem} does; CHAIN_KEY_FILE_EXPOSED with
   *   `strictPermissions`.
   */
  static async fromFiles(options: KeyedChainFiles): Promise<KeyedChain> {
    requireOptions('options', options, ['certFile', 'keyFile', 'strictPermissions', ...PEM_OPTIONS])
    const { certFile, keyFile, strictPermissions = false } = options
    requireString('certFile', certFile)
    requireString('keyFile', keyFile)
    requireBoolean('strictPermissions', strictPermissions)
    const settings = readPemOptions(options)
    const [cert, key] = [await readText(certFile), await readText(keyFile)]
    const exposed = await isOpenToOthers(keyFile)
    if (exposed && strictPermissions) {
      throw new ChainError('ERR_TLACACOCA_CHAIN_KEY_FILE_EXPOSED', exposure(keyFile))
    }
    return readChain(cert, key, settings, exposed ? [keyFile] : [])
  }

  /**
   * Reads a chain from a PKCS#12 file that holds one key with its certificate. Certificates that are not above it are
   * left out: many programs put all they have into such files.
   *
   * @throws {Pkcs12Error} | {PrivateKeyError} | {CertificateError} As `readPkcs12` does.
   * @throws {ChainError} As {@link KeyedChain.fromPem} does; CHAIN_SEVERAL_LEAVES if there are several keys with their
   *   certificates, which `readPkcs12` tells apart.
   */
  static async fromPkcs12(bytes: Uint8Array, options: KeyedChainPkcs12): Promise<KeyedChain> {
    requireOptions('options', options, ['passphrase', 'maxIterations', ...CHAIN_OPTIONS])
    const { passphrase, maxIterations, ...rules } = options
    readOptions(rules) // throws before the work, not after it
    const { entries } = await readPkcs12(bytes, {
      passphrase,
      ...(maxIterations === undefined ? {} : { maxIterations }),
    })
    const [entry, ...others] = entries
    if (entry === undefined)
      throw new NoLeafCertificateError('there is no key with its certificate in the PKCS#12 file')
    if (others.length > 0) {
      const subjects = entries.map(({ certificate }) => String(certificate.subject))
      throw new MoreThanOneLeafCertificateError(
        `there are ${entries.length} keys with their certificates in the PKCS#12 file, and one is wanted`,
        { subjects },
      )
    }
    return KeyedChain.fromCertificates([entry.certificate, ...entry.chain], entry.privateKey, rules)
  }

  /**
   * Makes a chain of certificates and a key that are read already, by the same rules.
   *
   * @param certificates - The leaf and authorities in any order.
   * @param key - The private key of the leaf.
   * @throws {ChainError} As {@link KeyedChain.fromPem} does.
   */
  static fromCertificates(certificates: Iterable<Certificate>, key: KeyObject, options: ChainOptions = {}): KeyedChain {
    requireOptions('options', options, CHAIN_OPTIONS)
    requireList('certificates', certificates)
    const members = [...certificates].map((certificate: unknown, index) => {
      if (certificate instanceof Certificate) return { certificate, place: null }
      throw new TypeError(`"certificates[${index}]" expected a Certificate, got ${show(certificate)}`)
    })
    if (!(key instanceof KeyObject) || key.type !== 'private') throw new TypeError('"key" expected a private KeyObject')
    publicHalf(key) // throws unless the key is sound
    return chainOf(members, key, options)
  }

  /** Whether a value is a chain with its key. */
  static is(value: unknown): value is KeyedChain {
    return typeof value === 'object' && value !== null && #key in value
  }

  static {
    make = (assembled, warnings) => new KeyedChain(assembled, warnings)
    keyOf = (chain) => chain.#key
  }
}

/** @internal What OpenSSL takes: the certificates that are sent, and the key as PKCS#8, not encrypted. */
export function pemOf(chain: KeyedChain): { readonly cert: string; readonly key: string } {
  return {
    cert: chain.sent.map((each) => each.toPem()).join(''),
    key: formatPem('PRIVATE KEY', exportPkcs8(keyOf(chain))),
  }
}

/**
 * @internal The certificates in a text, where nothing else may be.
 *
 * @throws {ChainError}
 */
export function certificatesIn(cert: NamedText, allowComments: boolean): Member[] {
  const blocks = strictBlocks(cert, allowComments)
  requireLabels(blocks, 'certificates')
  const members = membersIn(blocks)
  if (members.length === 0) throw new NoLeafCertificateError(`there is no certificate in ${cert.name ?? '"cert"'}`)
  return members
}

/** @internal Makes a chain of certificates in their places and a sound private key. Throws as `fromPem` does. */
export function chainOf(members: readonly Member[], key: KeyObject, options: ChainOptions): KeyedChain {
  return assemble({ members, keys: [{ key, place: null }] }, readOptions(options), [])
}

/** @internal Makes a chain of what has been assembled, and checks that it leads where it should. */
export function keyedChain(
  assembled: Assembled,
  { rules: { at, purpose }, roots }: ChainSettings,
  exposedKeyFiles: readonly string[],
): KeyedChain {
  const [leaf, ...above] = assembled.members
  if (roots !== undefined) requireLeadTo(roots, leaf, above, at, purpose)
  const warnings = assembled.members.flatMap(({ certificate }) => datesWarnings(certificate, at))
  for (const file of exposedKeyFiles) {
    warnings.push({ code: 'key_file_exposed', subject: String(leaf.certificate.subject), message: exposure(file) })
  }
  return make(assembled, warnings)
}

function requireLeadTo(
  roots: TrustStore,
  leaf: Member,
  above: readonly Member[],
  at: Date,
  purpose: PathPurpose | 'any',
): void {
  const intermediates = above.map(({ certificate }) => certificate)
  const authorities = authoritiesOf(roots)
  const validFor = (use: PathPurpose): PathResult =>
    validatePath({ leaf: leaf.certificate, intermediates, authorities, at, purpose: use })
  let result = validFor(purpose === 'any' ? 'server' : purpose)
  if (!result.valid && purpose === 'any') result = validFor('client')
  if (result.valid) return
  const code = chainErrorCode(result.problem)
  const message = `the chain of ${describe(leaf)} does not lead to any of the authorities asked for: ${result.detail}`
  throw code === 'ERR_TLACACOCA_CHAIN_INCOMPLETE'
    ? new NoCertificateChainError(message, factsAbout(leaf))
    : new ChainError(code, message, factsAbout(leaf))
}

function datesWarnings(certificate: Certificate, at: Date): ChainWarning[] {
  const code = certificate.validityAt(at)
  const message = datesRefusal(certificate, at)?.detail
  return code === 'valid' || message === undefined ? [] : [{ code, subject: String(certificate.subject), message }]
}

async function readChain(
  cert: NamedText,
  key: NamedText,
  settings: PemSettings,
  exposedKeyFiles: readonly string[],
): Promise<KeyedChain> {
  const members = certificatesIn(cert, settings.allowComments)
  const keyBlocks = strictBlocks(key, settings.allowComments)
  requireLabels(keyBlocks, 'key')
  return assemble({ members, keys: await keysIn(keyBlocks, settings.passphrase) }, settings, exposedKeyFiles)
}

function assemble(heap: Heap, settings: ChainSettings, exposedKeyFiles: readonly string[]): KeyedChain {
  return keyedChain(assembleChain(heap, settings.rules), settings, exposedKeyFiles)
}

async function readText(file: string): Promise<NamedText> {
  return { name: file, pem: textOf(await readFileBytes(file, { maxBytes: MAX_CERTIFICATE_FILE_BYTES })) }
}

function exposure(file: string): string {
  return `${file} is open to others than its owner; use mode 0600`
}
