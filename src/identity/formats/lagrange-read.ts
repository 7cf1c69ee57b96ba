// Lagrange's folder: `idents/*.crt` with `*.key` beside each, under any names, and `idents.lgr` with notes and scopes. An
// export of Lagrange is the same in a ZIP file, and its unpacked folder is read just so.

import { basename, join } from 'node:path'
import { show } from '../../internal/arguments.ts'
import { LAGRANGE_FLAGS, type LagrangeRecord, MAX_IDENTS_BYTES, parseIdents } from './idents-lgr.ts'
import { formatError, type ImportContext } from './import-context.ts'
import type { ImportedIdentity } from './imported-identity.ts'
import { type FoundIdentity, pairObjects } from './pair-objects.ts'
import { type IdentityText, readObjects } from './pem-objects.ts'
import { readPrefixScope } from './prefix-scope.ts'
import { isMissing, SourceFolder } from './source-file.ts'

const FOLDER = 'idents'
const NOTES = 'idents.lgr'
// More than twice as many as are read.
const MAX_ENTRIES = 5_000
/** A certificate or a key, with much to spare. */
export const MAX_PEM_BYTES = 256 * 1024

export async function readLagrange(directory: string, context: ImportContext): Promise<ImportedIdentity[]> {
  const folder = await SourceFolder.open(directory)
  const inside = await folder.list(FOLDER, MAX_ENTRIES)
  const names = inside ?? (await folder.list('', MAX_ENTRIES)) ?? []
  const bases = basesOf(names)
  if (inside === null && bases.size === 0) {
    throw formatError('INVALID', { file: directory }, 'there is neither a folder "idents" nor a certificate in it')
  }
  const found = new Map<string, FoundIdentity>()
  for (const pair of bases.values()) {
    if (context.isFull) break
    for (const each of await readPair(folder, inside === null ? '' : FOLDER, pair, context)) {
      const { fingerprint } = each.entry.certificate
      const earlier = found.get(fingerprint)
      if (earlier === undefined) found.set(fingerprint, each)
      else {
        const what = `it is the same identity as in ${show(basename(earlier.place.file ?? ''))}, and is read once`
        context.report('ERR_TLACACOCA_IDENTITY_FORMAT_INVALID', each.place, what)
      }
    }
  }
  const records = await readRecords(folder, found.size > 0, context)
  const notes = recordsByFingerprint(records, found, join(directory, NOTES), context)
  return [...found.values()].map(({ entry }) => {
    const record = notes.get(entry.certificate.fingerprint)
    return Object.freeze({
      certificate: entry.certificate,
      chain: entry.chain,
      privateKey: entry.privateKey,
      name: null,
      notes: record === undefined || record.notes === '' ? null : record.notes,
      scopes: record === undefined ? Object.freeze([]) : scopesOf(record, join(directory, NOTES), context),
      temporary: record !== undefined && (record.flags & LAGRANGE_FLAGS.temporary) !== 0,
    })
  })
}

/** The files of one identity, by their names. */
interface PairNames {
  crt: string | null
  key: string | null
}

function basesOf(names: readonly string[]): ReadonlyMap<string, PairNames> {
  const bases = new Map<string, PairNames>()
  for (const name of names) {
    const ending = /\.(crt|key)$/i.exec(name)?.[1]?.toLowerCase()
    // Names that begin with a dot are notes of file managers; Lagrange leaves them out too.
    if (ending === undefined || name.startsWith('.')) continue
    const base = name.slice(0, -4)
    const pair = bases.get(base) ?? { crt: null, key: null }
    bases.set(base, pair)
    if (ending === 'crt') pair.crt ??= name
    else pair.key ??= name
  }
  return bases
}

async function readPair(
  folder: SourceFolder,
  subfolder: string,
  { crt, key }: PairNames,
  context: ImportContext,
): Promise<FoundIdentity[]> {
  const path = (name: string): string => join(folder.path, subfolder, name)
  if (crt === null) {
    const what = 'the certificate of this key is missing; it should be beside it and end in ".crt"'
    context.report('ERR_TLACACOCA_IDENTITY_CERTIFICATE_MISSING', { file: path(key ?? '') }, what)
    return []
  }
  if (key === null) {
    const what = 'the private key of this certificate is missing; it should be beside it and end in ".key"'
    context.report('ERR_TLACACOCA_IDENTITY_KEY_MISSING', { file: path(crt) }, what)
    return []
  }
  const texts: IdentityText[] = []
  for (const [name, der] of [
    [crt, 'certificate'],
    [key, 'key'],
  ] as const) {
    try {
      texts.push({ file: path(name), contents: await folder.read(path(name), MAX_PEM_BYTES), der })
    } catch (error) {
      context.reportError(error, { file: path(name) })
    }
  }
  return texts.length < 2 ? [] : pairObjects(await readObjects(texts, context), context)
}

async function readRecords(
  folder: SourceFolder,
  isMissed: boolean,
  context: ImportContext,
): Promise<readonly LagrangeRecord[]> {
  const file = join(folder.path, NOTES)
  let bytes: Uint8Array
  try {
    bytes = await folder.read(file, MAX_IDENTS_BYTES)
  } catch (error) {
    if (!isMissing(error)) context.reportError(error, { file })
    else if (isMissed) {
      const hint = basename(folder.path) === FOLDER ? '; it is in the folder above, so give that one' : ''
      const what = `there is no such file, so the notes and scopes of the identities are not known${hint}`
      context.report('ERR_TLACACOCA_FILE_NOT_FOUND', { file }, what)
    }
    return []
  }
  const { records, problems } = parseIdents(bytes)
  for (const { kind, offset, message } of problems) {
    context.report(`ERR_TLACACOCA_IDENTITY_FORMAT_${kind}`, { file, offset }, message)
  }
  return records
}

function recordsByFingerprint(
  records: readonly LagrangeRecord[],
  found: ReadonlyMap<string, FoundIdentity>,
  file: string,
  context: ImportContext,
): ReadonlyMap<string, LagrangeRecord> {
  const byFingerprint = new Map<string, LagrangeRecord>()
  for (const record of records) {
    const { fingerprint, offset } = record
    const name = `sha256:${Buffer.from(fingerprint).toString('hex')}`
    if (!found.has(name)) {
      // Of one that has no proper fingerprint the reader has spoken.
      if (fingerprint.length !== 32) continue
      const what = `it knows of an identity ${name} that was not read; its notes and scopes are left out`
      context.report('ERR_TLACACOCA_IDENTITY_CERTIFICATE_MISSING', { file, offset }, what)
    } else if (byFingerprint.has(name)) {
      const what = `it is the second record of ${name}, and is left out as it is by Lagrange`
      context.report('ERR_TLACACOCA_IDENTITY_FORMAT_INVALID', { file, offset }, what)
    } else byFingerprint.set(name, record)
  }
  return byFingerprint
}

function scopesOf(record: LagrangeRecord, file: string, context: ImportContext): readonly string[] {
  const scopes = new Set<string>()
  for (const url of record.urls) {
    const reading = readPrefixScope(url)
    if ('scope' in reading) scopes.add(reading.scope)
    else {
      const place = { file, offset: record.offset }
      context.report('ERR_TLACACOCA_IDENTITY_SCOPE_UNSUPPORTED', place, `${show(url)} ${reading.problem}`)
    }
  }
  return Object.freeze([...scopes])
}
