// Identities of other programs, whatever they keep them in. Nothing is written, here or there.

import type { Passphrase } from '../../certificate/passphrase.ts'
import { readPkcs12 } from '../../certificate/pkcs12-read.ts'
import { requireOptions, requireString, show } from '../../internal/arguments.ts'
import { MAX_TOML_BYTES, readAmfora, readAmforaText } from './amfora-read.ts'
import { formatError, ImportContext } from './import-context.ts'
import type { IdentityImport, ImportedIdentity } from './imported-identity.ts'
import { scopesOfFilter } from './kristall.ts'
import { readLagrange } from './lagrange-read.ts'
import { pairObjects, reportLeftovers } from './pair-objects.ts'
import { type IdentityText, readObjects } from './pem-objects.ts'

/**
 * Where identities are:
 *
 * - `pem`: one text with certificates and keys in any order, of any number of identities; or two, as servers and
 *   `connect` take them.
 * - `pkcs12`: the bytes of a `.p12` or `.pfx` file. An empty passphrase for a file without one.
 * - `lagrange`: Lagrange's folder, or an unpacked export of it: `idents/*.crt`, `idents/*.key`, `idents.lgr`.
 * - `amfora`: the path of Amfora's `config.toml`, or its text with the folder that relative names in it start from.
 * - `kristall`: what Kristall exports: two texts or files, PEM or DER, and the identity's host filter if it has one.
 */
export type IdentitySource =
  | { readonly pem: string | { readonly cert: string; readonly key: string } }
  | { readonly pkcs12: Uint8Array; readonly passphrase: Passphrase }
  | { readonly lagrange: string }
  | { readonly amfora: string | { readonly toml: string; readonly directory: string } }
  | {
      readonly kristall: {
        readonly cert: string | Uint8Array
        readonly key: string | Uint8Array
        readonly hostFilter?: string
      }
    }

/** How identities are read. */
export interface ReadIdentitiesOptions {
  /** What private keys are encrypted with, if they are. Those that are not need none. */
  readonly passphrase?: Passphrase
}

/**
 * Reads the identities that another program keeps, with their names, notes and scopes as far as it has such things.
 *
 * What cannot be taken over is a problem, with its place and what to do about it, and takes nothing else with it: a
 * damaged key, a certificate without its key, a scope that the wallet cannot express. Scopes of programs that compare
 * texts become scopes of ours, which end where a site or a segment of a path ends: `gemini://example.org` of Lagrange is
 * the whole of that site, and nothing of `example.org.evil.example`.
 *
 * Files that are named in Amfora's configuration are read wherever they are. In Lagrange's folder, links that lead out of
 * it are not followed. Up to 2,000 certificates and keys are read at once, and up to 32 encrypted keys.
 *
 * @throws {FileError} FILE_NOT_FOUND or FILE_UNREADABLE if the folder or the configuration cannot be read.
 * @throws {IdentityError} IDENTITY_FORMAT_INVALID if there are no such identities in the folder at all;
 *   IDENTITY_FORMAT_EXCESSIVE for a text of more than 4 MiB.
 * @throws {ImportError} IMPORT_INVALID, with line and column, if Amfora's configuration is no TOML.
 * @throws {PrivateKeyError | CertificateError | Pkcs12Error} As `readPkcs12` does, for a container that does not open.
 * @example
 * import { readIdentities } from 'tlacacoca/identity'
 *
 * const { identities, problems } = await readIdentities({ lagrange: '/home/ana/.config/lagrange' })
 * for (const { certificate, notes, scopes } of identities) console.log(certificate.fingerprint, notes, scopes)
 * for (const { message } of problems) console.warn(message)
 */
export async function readIdentities(
  source: IdentitySource,
  options: ReadIdentitiesOptions = {},
): Promise<IdentityImport> {
  requireOptions('options', options, ['passphrase'])
  const { passphrase } = options
  if (passphrase !== undefined) requirePassphraseType('passphrase', passphrase)
  const context = new ImportContext(passphrase)
  const identities = await read(source, context)
  return Object.freeze({ identities: Object.freeze(identities), problems: context.problems })
}

const MAX_TEXT = 4 * 1024 * 1024

async function read(source: IdentitySource, context: ImportContext): Promise<ImportedIdentity[]> {
  requireOptions('source', source, ['pem', 'pkcs12', 'passphrase', 'lagrange', 'amfora', 'kristall'])
  const kinds = Object.keys(source).filter((name) => name !== 'passphrase')
  if (kinds.length !== 1) {
    throw new TypeError(`"source" expected one of pem, pkcs12, lagrange, amfora, kristall; got ${kinds.length} of them`)
  }
  if ('passphrase' in source && !('pkcs12' in source)) {
    throw new TypeError('"source" has no passphrase unless it is PKCS#12; give it as an option')
  }
  if ('pem' in source) return readTexts(pemTexts(source.pem), [], context)
  if ('pkcs12' in source) return readContainer(source.pkcs12, source.passphrase, context)
  if ('lagrange' in source) {
    requireString('lagrange', source.lagrange)
    return readLagrange(source.lagrange, context)
  }
  if ('amfora' in source) return readAmforaSource(source.amfora, context)
  const { cert, key, hostFilter = null } = requireKristall(source.kristall)
  const texts = [textOf('kristall.cert', cert, 'certificate'), textOf('kristall.key', key, 'key')]
  return readTexts(texts, scopesOfFilter(hostFilter, context), context)
}

function pemTexts(pem: unknown): IdentityText[] {
  if (typeof pem === 'string') return [textOf('pem', pem, 'certificate')]
  requireOptions('pem', pem, ['cert', 'key'])
  const { cert, key } = pem as { readonly cert?: unknown; readonly key?: unknown }
  requireString('pem.cert', cert)
  requireString('pem.key', key)
  return [textOf('pem.cert', cert, 'certificate'), textOf('pem.key', key, 'key')]
}

function textOf(name: string, contents: string | Uint8Array, der: IdentityText['der']): IdentityText {
  if (typeof contents !== 'string' && !(contents instanceof Uint8Array)) {
    throw new TypeError(`"${name}" expected a text or bytes, got ${show(contents)}`)
  }
  if (contents.length > MAX_TEXT) {
    throw formatError('EXCESSIVE', {}, `"${name}" has ${contents.length} characters; ${MAX_TEXT} are read at most`)
  }
  return { file: name.includes('.') ? name : null, contents, der }
}

async function readTexts(
  texts: readonly IdentityText[],
  scopes: readonly string[],
  context: ImportContext,
): Promise<ImportedIdentity[]> {
  const found = await pairObjects(await readObjects(texts, context), context)
  return found.map(({ entry: { certificate, chain, privateKey } }) =>
    Object.freeze({ certificate, chain, privateKey, name: null, notes: null, scopes, temporary: false }),
  )
}

async function readContainer(
  bytes: Uint8Array,
  passphrase: Passphrase,
  context: ImportContext,
): Promise<ImportedIdentity[]> {
  const { entries, otherCertificates, otherPrivateKeys } = await readPkcs12(bytes, { passphrase })
  const leftovers = { certificates: otherCertificates, keys: otherPrivateKeys, hasClosedKey: false }
  reportLeftovers(leftovers, () => ({}), context)
  return entries.map(({ certificate, chain, privateKey, friendlyName }) => {
    const scopes = Object.freeze([])
    return Object.freeze({ certificate, chain, privateKey, name: friendlyName, notes: null, scopes, temporary: false })
  })
}

async function readAmforaSource(source: unknown, context: ImportContext): Promise<ImportedIdentity[]> {
  if (typeof source === 'string') return readAmfora(await readAmforaText(source), context)
  requireOptions('amfora', source, ['toml', 'directory'])
  const { toml, directory } = source as { readonly toml?: unknown; readonly directory?: unknown }
  requireString('amfora.toml', toml)
  requireString('amfora.directory', directory)
  if (toml.length > MAX_TOML_BYTES) {
    throw formatError(
      'EXCESSIVE',
      {},
      `"amfora.toml" has ${toml.length} characters; ${MAX_TOML_BYTES} are read at most`,
    )
  }
  return readAmfora({ file: null, toml, directory }, context)
}

type KristallSource = Extract<IdentitySource, { readonly kristall: unknown }>['kristall']

function requireKristall(value: KristallSource): KristallSource {
  requireOptions('kristall', value, ['cert', 'key', 'hostFilter'])
  if (value.hostFilter !== undefined) requireString('kristall.hostFilter', value.hostFilter)
  return value
}

function requirePassphraseType(name: string, value: unknown): void {
  if (typeof value === 'string' || value instanceof Uint8Array) return
  throw new TypeError(`"${name}" expected a string or bytes; leave it out for keys that are not encrypted`)
}
