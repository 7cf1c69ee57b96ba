// What all commands of an authority begin with: its directory, its passphrase, and what a configuration says.

import { access } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Command } from 'commander'
import { type AuthorityOptions, CertificateAuthority } from '../../authority/certificate-authority.ts'
import type { AuthorityWarning } from '../../authority/identity-directory.ts'
import * as library from '../../authority/index.ts'
import type { PassphraseSource } from '../../authority/passphrase-source.ts'
import { SqliteIssuedStore } from '../../authority/sqlite-issued-store.ts'
import { AuthorityError, FileError } from '../../errors.ts'
import { reading } from '../../internal/atomic-file.ts'
import { Explained, UsageError } from '../exit-code.ts'
import { type CliIo, styled } from '../io.ts'
import { fromUser } from '../options.ts'

interface AuthorityPlace {
  readonly directory?: string
  readonly passphraseFile?: string
  readonly config?: string
}

/** The variable that holds the directory, if no option does. */
export const DIRECTORY_VARIABLE = 'CA_DIRECTORY'

/** The directory that was named, or the current one. */
function directoryOf(io: CliIo, command: Command): string {
  const { directory } = command.optsWithGlobals<AuthorityPlace>()
  return directory ?? (io.env[DIRECTORY_VARIABLE] || '.')
}

/** A file if one is named. Else the library looks where it says that it looks: `CA_PASSPHRASE_FILE` and so on. */
export function passphraseOf(command: Command): PassphraseSource | undefined {
  const { passphraseFile } = command.optsWithGlobals<AuthorityPlace>()
  return passphraseFile === undefined ? undefined : { file: passphraseFile }
}

/** Opens the authority. What is not right with it although it can be used is said on the standard error. */
export async function openAuthority(
  io: CliIo,
  command: Command,
  more: Pick<AuthorityOptions, 'onEvent'> = {},
  directory: string = directoryOf(io, command),
): Promise<CertificateAuthority> {
  const { config } = command.optsWithGlobals<AuthorityPlace>()
  const configured = config === undefined ? {} : await loadConfig(config)
  return sayingHowToUnlock(() =>
    CertificateAuthority.open(directory, {
      ...configured,
      ...more,
      passphrase: passphraseOf(command),
      clock: io.clock,
      onWarning: (warning) => warn(io, warning),
    }),
  )
}

/** Calls the library with what somebody typed, and says of a passphrase that it needs how it is given here. */
export async function sayingHowToUnlock<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await fromUser(work)
  } catch (error) {
    if (!(error instanceof AuthorityError) || error.code !== 'ERR_TLACACOCA_AUTHORITY_PASSPHRASE_REQUIRED') throw error
    throw new Explained(error.message.replace('give "passphrase"', 'say --passphrase-file'), error)
  }
}

export function warn(io: CliIo, { message }: AuthorityWarning): void {
  io.stderr.write(`${styled(io, 'yellow', 'warning:')} ${message}\n`)
}

/** What has been issued, to look at: it takes no key, and so no passphrase. */
export async function openIssued(io: CliIo, command: Command): Promise<SqliteIssuedStore> {
  const directory = directoryOf(io, command)
  const path = join(directory, 'ca.db')
  try {
    await reading(path, () => access(path))
  } catch (error) {
    if (!(error instanceof FileError)) throw error
    throw new Explained(await whyNotThere(directory, path, error), error)
  }
  return SqliteIssuedStore.open(path)
}

async function whyNotThere(directory: string, path: string, { code, message }: FileError): Promise<string> {
  const isMissing = code === 'ERR_TLACACOCA_FILE_NOT_FOUND'
  if (isMissing && (await isThere(join(directory, 'ca.cert.pem')))) {
    return `there is no ${path}: the authority in ${directory} has signed nothing yet`
  }
  const remedy = `name the directory of the authority by --directory or $${DIRECTORY_VARIABLE}`
  return isMissing ? `there is no ${path}: ${remedy}` : `${message}; ${remedy}, and be the user to whom it belongs`
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** What goes wrong in there is a mistake of whoever wrote it. */
async function callOf(path: string, configure: Configure): Promise<unknown> {
  try {
    return await configure(library)
  } catch (cause) {
    throw new UsageError(`the function that ${path} exports failed: ${reasonIn(cause)}`, { cause })
  }
}

function reasonIn(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** What a configuration can say: options of an authority that are no concern of the command line. */
const CONFIGURABLE = [
  'hooks',
  'profiles',
  'defaultProfile',
  'serialNumberGenerator',
  'crlValidityMs',
  'onBoot',
] as const satisfies readonly (keyof AuthorityOptions)[]

type Configured = Pick<AuthorityOptions, (typeof CONFIGURABLE)[number]>

type Configure = (given: typeof library) => unknown

/**
 * Loads an ES module whose default export is the options, or a function that makes them. The function gets this library,
 * so that a configuration works wherever it lies and whatever is installed beside it.
 */
async function loadConfig(path: string): Promise<Configured> {
  const url = pathToFileURL(resolve(path)).href
  const { default: exported }: { readonly default?: unknown } = await import(url).catch((cause: unknown) => {
    throw new UsageError(`${path} cannot be loaded: ${reasonIn(cause)}`, { cause })
  })
  const made: unknown = typeof exported === 'function' ? await callOf(path, exported as Configure) : exported
  if (typeof made !== 'object' || made === null) {
    throw new UsageError(`${path} has to export, as its default, an object with ${CONFIGURABLE.join(', ')}`)
  }
  const unknown = Object.keys(made).filter((name) => !CONFIGURABLE.some((known) => known === name))
  if (unknown.length > 0) {
    throw new UsageError(`${path} says ${unknown.join(', ')}; what is known is ${CONFIGURABLE.join(', ')}`)
  }
  return made
}
