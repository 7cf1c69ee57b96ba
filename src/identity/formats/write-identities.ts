// Identities for other programs.

import type { KeyObject } from 'node:crypto'
import { dirname } from 'node:path'
import { writePkcs12 } from '../../certificate/pkcs12-write.ts'
import { requireBoolean, requireOptions, show } from '../../internal/arguments.ts'
import { ensurePrivateDirectory, refuseTarget } from '../../internal/atomic-file.ts'
import { writeFilesAtomic } from '../../internal/atomic-file-set.ts'
import { planAmfora } from './amfora-write.ts'
import {
  certificateText,
  type ExportableIdentity,
  type ExportPlan,
  keyText,
  type Outgoing,
  privateFile,
  readOutgoing,
} from './export-files.ts'
import { type IdentityTarget, requireTarget } from './identity-target.ts'
import { formatError, problemAt } from './import-context.ts'
import type { ImportProblem } from './imported-identity.ts'
import { planLagrange } from './lagrange-write.ts'

/** How identities are written. */
export interface WriteIdentitiesOptions {
  /** Whether files of these names may be replaced. Default false. */
  readonly overwrite?: boolean
}

/** What was written. */
export interface IdentityExport {
  /** The files, in the order in which they were put in place. */
  readonly files: readonly string[]
  /** What the other program will not know, or not in the same way: names, notes and scopes for the most part. */
  readonly problems: readonly ImportProblem[]
}

/**
 * Writes identities as other programs keep them. Private keys are **not encrypted**, except in PKCS#12.
 *
 * Every file is readable by its owner only (0600), as are the folders that have to be created (0700); each is there whole
 * or not at all, and if one cannot be written, none is. No file is replaced unless `overwrite` is set, and no link is
 * followed. With `overwrite`, what Lagrange's `idents.lgr` knows of other identities is kept.
 *
 * Programs that compare texts get scopes that cover no more than ours do.
 *
 * @throws {FileError} FILE_EXISTS, before anything is written; FILE_UNWRITABLE for everything else.
 * @throws {IdentityError} IDENTITY_FORMAT_UNSUPPORTED for a key that Kristall does not read; IDENTITY_FORMAT_INVALID and the
 *   like if `idents.lgr` is there and cannot be kept.
 * @throws {PrivateKeyError} KEY_MISMATCH if a key does not belong to its certificate.
 * @throws {InvalidNameError} TARGET_INVALID for a scope that is none.
 * @example
 * import { readIdentities, writeIdentities } from 'tlacacoca/identity'
 *
 * const { identities } = await readIdentities({ lagrange: '/home/ana/.config/lagrange' })
 * const { files, problems } = await writeIdentities(identities, { format: 'amfora', directory: 'for-amfora' })
 * console.log(files)
 * for (const { message } of problems) console.warn(message)
 */
export async function writeIdentities(
  identities: Iterable<ExportableIdentity>,
  target: IdentityTarget,
  options: WriteIdentitiesOptions = {},
): Promise<IdentityExport> {
  requireOptions('options', options, ['overwrite'])
  const { overwrite = false } = options
  requireBoolean('overwrite', overwrite)
  requireTarget(target)
  const outgoing = readOutgoing(identities)
  const { files, problems } = await plan(outgoing, target, overwrite)
  // Before a folder is created for nothing.
  for (const { path } of files) await refuseTarget(path, overwrite)
  for (const { path } of files) await ensurePrivateDirectory(dirname(path))
  await writeFilesAtomic(files, { overwrite })
  return Object.freeze({ files: Object.freeze(files.map(({ path }) => path)), problems: Object.freeze(problems) })
}

async function plan(identities: readonly Outgoing[], target: IdentityTarget, overwrite: boolean): Promise<ExportPlan> {
  switch (target.format) {
    case 'pem':
      return planPem(identities, target)
    case 'pkcs12':
      return planPkcs12(onlyOne(identities), target)
    case 'lagrange':
      return planLagrange(identities, target.directory, overwrite)
    case 'amfora':
      return withUnsaid(await planAmfora(identities, target.directory), identities)
    case 'kristall':
      return planKristall(onlyOne(identities), target)
  }
}

function planPem(identities: readonly Outgoing[], target: Extract<IdentityTarget, { format: 'pem' }>): ExportPlan {
  const problems = identities.flatMap((identity) => unsaid(identity, { name: false }))
  if ('path' in target) {
    const text = identities.map((each) => `${certificateText(each)}${keyText(each)}`).join('')
    return { files: [privateFile(target.path, text)], problems }
  }
  const identity = onlyOne(identities)
  return { files: pairOf(target, certificateText(identity), keyText(identity)), problems }
}

async function planPkcs12(
  identity: Outgoing,
  target: Extract<IdentityTarget, { format: 'pkcs12' }>,
): Promise<ExportPlan> {
  const { certificate, chain, privateKey, name } = identity
  const { path, passphrase, compatibility } = target
  const bytes = await writePkcs12(
    { certificates: [certificate, ...chain], privateKey, ...(name === null ? {} : { friendlyName: name }) },
    { passphrase, ...(compatibility === undefined ? {} : { compatibility }) },
  )
  return { files: [privateFile(path, bytes)], problems: unsaid(identity, { name: true }) }
}

/** Qt reads a key by its kind, in the form that only has this kind; it knows two of them. */
function planKristall(identity: Outgoing, target: Extract<IdentityTarget, { format: 'kristall' }>): ExportPlan {
  const { certificate, privateKey } = identity
  const problems = unsaid(identity, { name: false })
  const form = KRISTALL_FORMS.get(privateKey.asymmetricKeyType ?? '')
  if (form === undefined) {
    const what = `Kristall reads RSA and EC keys only; that of ${certificate.fingerprint} is another one`
    throw formatError('UNSUPPORTED', {}, what)
  }
  if (form === 'sec1') {
    const what = `Kristall reads its own EC keys as RSA keys when it is started again, so ${certificate.fingerprint} is to be imported anew`
    problems.push(problemAt('ERR_TLACACOCA_IDENTITY_FORMAT_UNSUPPORTED', {}, what))
  }
  // It reads one certificate.
  return { files: pairOf(target, certificate.toPem(), exportKey(privateKey, form)), problems }
}

const KRISTALL_FORMS: ReadonlyMap<string, 'pkcs1' | 'sec1'> = new Map([
  ['rsa', 'pkcs1'],
  ['ec', 'sec1'],
])

function exportKey(key: KeyObject, type: 'pkcs1' | 'sec1'): string {
  return key.export({ format: 'pem', type }).toString()
}

function pairOf(
  { certFile, keyFile }: { readonly certFile: string; readonly keyFile: string },
  certificate: string,
  key: string,
): ExportPlan['files'] {
  return [privateFile(keyFile, key), privateFile(certFile, certificate)]
}

/** Amfora's configuration holds scopes, and nothing else of what is known about an identity. */
function withUnsaid({ files, problems }: ExportPlan, identities: readonly Outgoing[]): ExportPlan {
  const lost = identities.flatMap((identity) => unsaid({ ...identity, scopes: [] }, { name: false }))
  return { files, problems: [...problems, ...lost] }
}

/** What a format has no room for. */
function unsaid(identity: Outgoing, has: { readonly name: boolean }): ImportProblem[] {
  const { name, notes, scopes, certificate } = identity
  const lost = [
    ...(name === null || has.name ? [] : ['its name']),
    ...(notes === null ? [] : ['its notes']),
    ...(scopes.length === 0 ? [] : [`its scopes (${show(scopes.join(' '))})`]),
  ]
  if (lost.length === 0) return []
  const what = `the format has no room for ${lost.join(', ')}; ${certificate.fingerprint} goes without`
  return [problemAt('ERR_TLACACOCA_IDENTITY_FORMAT_UNSUPPORTED', {}, what)]
}

function onlyOne(identities: readonly Outgoing[]): Outgoing {
  const [identity] = identities
  if (identity !== undefined && identities.length === 1) return identity
  throw new RangeError(`"identities" expected one for this format, got ${identities.length}`)
}
