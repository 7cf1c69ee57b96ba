// Identities out of other programs, and for them.

import { stat } from 'node:fs/promises'
import { extname } from 'node:path'
import type { Command } from 'commander'
import type { Passphrase } from '../../certificate/passphrase.ts'
import type { IdentityTarget } from '../../identity/formats/identity-target.ts'
import type { IdentityImport, ImportedIdentity, ImportProblem } from '../../identity/formats/imported-identity.ts'
import { type IdentitySource, readIdentities } from '../../identity/formats/read-identities.ts'
import { writeIdentities } from '../../identity/formats/write-identities.ts'
import type { ImportReport } from '../../identity/wallet/exchange.ts'
import { reading } from '../../internal/atomic-file.ts'
import { escapeText } from '../../logging/safe-text.ts'
import type { Cli, Outcome } from '../command.ts'
import { ExitCode, UsageError } from '../exit-code.ts'
import { inFile, readInput } from '../input.ts'
import { type CliIo, styled } from '../io.ts'
import { counted, fromUser } from '../options.ts'
import { readPassphraseFor } from '../passphrase.ts'
import { findIdentity, identityJson, openWallet, titleOf } from './wallet.ts'

export const FORMATS = ['pem', 'pkcs12', 'lagrange', 'amfora', 'kristall'] as const

type Format = (typeof FORMATS)[number]

/** The variables that hold the passphrase of what is read or written, which may be another one than that of the wallet. */
export const SOURCE_VARIABLE = 'TLACACOCA_SOURCE_PASSPHRASE'
export const TARGET_VARIABLE = 'TLACACOCA_TARGET_PASSPHRASE'

interface ImportOptions {
  readonly format?: Format
  readonly key?: string
  readonly hostFilter?: string
  readonly dryRun?: boolean
  readonly sourcePassphraseFile?: string
}

/** `identity import`. */
export async function importIdentities(
  { io }: Cli,
  path: string,
  options: ImportOptions,
  command: Command,
): Promise<Outcome> {
  const { dryRun = false } = options
  const { identities, problems } = await readSource(io, path, options)
  const refused = identities.length === 0 ? ExitCode.badInput : ExitCode.ok
  await using wallet = await openWallet(io, command)
  if (dryRun) {
    const known = new Set([...wallet.list(), ...wallet.deleted()].map(({ fingerprint }) => fingerprint))
    const found = identities.map(({ name, certificate: { fingerprint }, scopes }) => {
      return { name, fingerprint, scopes, known: known.has(fingerprint) }
    })
    const text = [foundText(found), ...warnings(io, problems)].join('\n')
    return { json: { dryRun, found, problems }, text, exitCode: refused }
  }
  const report = await wallet.import(identities)
  const { added, skipped } = report
  return {
    json: {
      dryRun,
      added: added.map(identityJson),
      skipped,
      problems: [...problems, ...report.problems.map(asProblem)],
    },
    text: [reportText(report), ...warnings(io, [...problems, ...report.problems.map(asProblem)])].join('\n'),
    exitCode: skipped.some(({ reason }) => reason === 'known') || added.length > 0 ? ExitCode.ok : ExitCode.badInput,
  }
}

interface Found extends Pick<ImportedIdentity, 'name' | 'scopes'> {
  readonly fingerprint: string
  /** Whether the wallet has it. */
  readonly known: boolean
}

function foundText(found: readonly Found[]): string {
  const lines = found.map(({ name, fingerprint, scopes, known }) => {
    const what = escapeText([name ?? '', ...scopes].join(' '))
    return `  ${fingerprint} ${what}${known ? ' (in the wallet already)' : ''}`.trimEnd()
  })
  const added = found.filter(({ known }) => !known).length
  return [`${counted(added, 'identity', 'identities')} would be imported.`, ...lines].join('\n')
}

function reportText({ added, skipped }: ImportReport): string {
  return [
    `${counted(added.length, 'identity is', 'identities are')} new, ${skipped.length} left out.`,
    ...added.map((identity) => `  ${identity.id} ${titleOf(identity)}`),
    ...skipped.map(({ name, fingerprint, message }) => `  left out: ${escapeText(name ?? fingerprint)}: ${message}`),
  ].join('\n')
}

function asProblem(message: string): { readonly message: string } {
  return { message }
}

function warnings(io: CliIo, problems: readonly { readonly message: string }[]): string[] {
  return problems.map(({ message }) => `${styled(io, 'yellow', 'warning:')} ${message}`)
}

/** Reads without a passphrase first: whether one is needed, only the source knows. */
async function readSource(io: CliIo, path: string, options: ImportOptions): Promise<IdentityImport> {
  const format = options.format ?? (await formatOf(path))
  if (options.key !== undefined && format !== 'pem' && format !== 'kristall') {
    throw new UsageError(`--key is for pem and kristall, and this is ${format}`)
  }
  if (options.hostFilter !== undefined && format !== 'kristall') throw new UsageError('--host-filter is for kristall')
  const secret = () => {
    const from = { passphraseFile: options.sourcePassphraseFile, variable: SOURCE_VARIABLE }
    return readPassphraseFor(io, path, from)
  }
  if (format === 'pkcs12') {
    // A container without a passphrase is opened by an empty one.
    const pkcs12 = await readInput(io, path, MAX_BYTES)
    const passphrase = (await secret()) ?? ''
    return inFile(path, () => fromUser(() => readIdentities({ pkcs12, passphrase })))
  }
  const source = await sourceOf(io, path, format, options)
  const read = (passphrase: Passphrase | null) =>
    fromUser(() => readIdentities(source, passphrase === null ? {} : { passphrase }))
  const result = await read(null)
  if (!result.problems.some(isClosed)) return result
  const passphrase = await secret()
  return passphrase === null ? result : read(passphrase)
}

function isClosed({ code }: ImportProblem): boolean {
  return code === 'ERR_TLACACOCA_KEY_PASSPHRASE_REQUIRED'
}

const MAX_BYTES = 4 * 1024 * 1024

async function sourceOf(
  io: CliIo,
  path: string,
  format: Exclude<Format, 'pkcs12'>,
  { key, hostFilter }: ImportOptions,
): Promise<IdentitySource> {
  if (format === 'lagrange') return { lagrange: path }
  if (format === 'amfora') return { amfora: path }
  const cert = await readInput(io, path, MAX_BYTES)
  if (format === 'pem') {
    if (key === undefined) return { pem: Buffer.from(cert).toString('utf8') }
    return {
      pem: { cert: Buffer.from(cert).toString('utf8'), key: Buffer.from(await readInput(io, key)).toString('utf8') },
    }
  }
  if (key === undefined) throw new UsageError('Kristall keeps the key in a file of its own: say --key')
  const filter = hostFilter === undefined ? {} : { hostFilter }
  return { kristall: { cert, key: await readInput(io, key), ...filter } }
}

/** By the name of the file; a folder is Lagrange's. */
async function formatOf(path: string): Promise<Format> {
  if (path !== '-' && (await reading(path, () => stat(path))).isDirectory()) return 'lagrange'
  return formatByName(path) ?? 'pem'
}

function formatByName(path: string): Format | null {
  const ending = extname(path).toLowerCase()
  if (ending === '.p12' || ending === '.pfx') return 'pkcs12'
  if (ending === '.toml') return 'amfora'
  return ending === '.pem' || ending === '.crt' ? 'pem' : null
}

interface ExportOptions {
  readonly to: string
  readonly key?: string
  readonly format?: Format
  readonly all?: boolean
  readonly legacy?: boolean
  readonly overwrite?: boolean
  readonly targetPassphraseFile?: string
}

/** `identity export`. */
export async function exportIdentities(
  { io }: Cli,
  names: readonly string[],
  options: ExportOptions,
  command: Command,
): Promise<Outcome> {
  const { to, all = false, overwrite = false } = options
  if (all === names.length > 0) throw new UsageError('say which identities to export, or --all of them')
  const format = options.format ?? formatByName(to)
  if (format === null) throw new UsageError(`say by --format for which program ${to} is: ${FORMATS.join(', ')}`)
  await using wallet = await openWallet(io, command)
  const chosen = all ? wallet.list() : names.map((name) => findIdentity(wallet, name))
  const isForOne = format === 'pkcs12' || format === 'kristall' || options.key !== undefined
  if (isForOne && chosen.length !== 1) {
    throw new UsageError(`${format} takes one identity at a time here, and these are ${chosen.length}`)
  }
  const target = await targetOf(io, format, options)
  const identities: ImportedIdentity[] = []
  for (const { id } of chosen) identities.push(await wallet.export(id))
  const { files, problems } = await fromUser(() => writeIdentities(identities, target, { overwrite }))
  const isOpen = format === 'pkcs12' ? [] : ['The keys in there are not encrypted.']
  const text = [
    `${counted(identities.length, 'identity is', 'identities are')} in ${files.join(', ')}.`,
    ...isOpen,
    ...warnings(io, problems),
  ]
  return { json: { format, files, encrypted: format === 'pkcs12', problems }, text: text.join('\n') }
}

async function targetOf(io: CliIo, format: Format, options: ExportOptions): Promise<IdentityTarget> {
  const { to, key, legacy = false, targetPassphraseFile } = options
  if (legacy && format !== 'pkcs12') throw new UsageError('--legacy is for pkcs12')
  if (key !== undefined && format !== 'pem' && format !== 'kristall') {
    throw new UsageError('--key is for pem and kristall, which may have the key in a file of its own')
  }
  switch (format) {
    case 'lagrange':
    case 'amfora':
      return { format, directory: to }
    case 'pem':
      return key === undefined ? { format, path: to } : { format, certFile: to, keyFile: key }
    case 'kristall':
      if (key === undefined) throw new UsageError('Kristall wants the key in a file of its own: say --key')
      return { format, certFile: to, keyFile: key }
    case 'pkcs12': {
      const from = { passphraseFile: targetPassphraseFile, variable: TARGET_VARIABLE }
      const passphrase = await readPassphraseFor(io, to, from, true)
      if (passphrase === null) {
        throw new UsageError(`a passphrase for ${to} is needed: say --target-passphrase-file or set ${TARGET_VARIABLE}`)
      }
      return { format, path: to, passphrase, compatibility: legacy ? 'legacy' : 'modern' }
    }
  }
}
