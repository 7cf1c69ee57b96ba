// Where the passphrase of an authority's key comes from: the sources that can be named, and the order in which they are
// tried if none is.
//
// Invariant: no error and no message shows anything of a passphrase.

import { stat } from 'node:fs/promises'
import { type Passphrase, requirePassphrase } from '../certificate/passphrase.ts'
import { AuthorityError } from '../errors.ts'
import { requireOptions, requireString, show } from '../internal/arguments.ts'
import { readFileBytes } from '../internal/atomic-file.ts'
import { askInTerminal, terminalState } from './terminal-prompt.ts'

/**
 * Where a passphrase comes from:
 *
 * - text or bytes: this very passphrase;
 * - `{ file }`: the one line in a file, a pipe or a descriptor (`/dev/fd/3`), or whatever else can be read by a path, such
 *   as a credential of systemd. The end of the line is not part of it;
 * - `{ environment }`: the variable of this name. It is deleted from `process.env` when it is read, so that no program
 *   that is started later inherits it;
 * - `{ prompt: true }`: whoever sits at the terminal is asked, and what is typed is not shown.
 *
 * If none is named: the file whose path is in the variable `CA_PASSPHRASE_FILE`; if that is not set or empty, the variable
 * `CA_PASSPHRASE`; if that is not either, the terminal; and if there is no terminal, the error is
 * ERR_TLACACOCA_AUTHORITY_PASSPHRASE_REQUIRED. A source that is named and fails is never replaced by the next one.
 */
export type PassphraseSource =
  | Passphrase
  | { readonly file: string }
  | { readonly environment: string }
  | { readonly prompt: true }

/** What the passphrase is for. */
export interface PassphraseUse {
  /** The file of the key, for questions and messages. */
  readonly keyPath: string
  /** A passphrase for a new key is asked for twice, and must be one that OpenSSL takes. */
  readonly isNew: boolean
  /** Called with the path of a file with the passphrase that everybody can read. */
  onExposedFile(path: string): void
}

/**
 * Checks the shape of a source, without reading it. The messages show nothing of what may be a passphrase.
 *
 * @throws {TypeError}
 */
export function requirePassphraseSource(source: unknown): asserts source is PassphraseSource | undefined {
  if (source === undefined || typeof source === 'string' || source instanceof Uint8Array) return
  if (typeof source !== 'object' || source === null || Array.isArray(source)) throw new TypeError(WANTED)
  requireOptions('passphrase', source, SOURCES)
  if (Object.keys(source).length !== 1) throw new TypeError(WANTED)
  if ('file' in source) requireString('passphrase.file', source.file)
  else if ('environment' in source) requireString('passphrase.environment', source.environment)
  else if ('prompt' in source && source.prompt !== true) throw new TypeError('"passphrase.prompt" expected true')
}

/**
 * Gets the passphrase.
 *
 * @throws {AuthorityError} AUTHORITY_PASSPHRASE_REQUIRED if there is none; AUTHORITY_PASSPHRASE_INVALID if what is there
 *   is none, such as an empty file.
 * @throws {FileError} If a file cannot be read.
 */
export async function readPassphrase(source: PassphraseSource | undefined, use: PassphraseUse): Promise<Passphrase> {
  if (source === undefined) return readByDefault(use)
  if (typeof source === 'string' || source instanceof Uint8Array) {
    if (use.isNew) requirePassphrase('passphrase', source)
    return source
  }
  if ('file' in source) return fromFile(source.file, use)
  if ('environment' in source) {
    const passphrase = takeVariable(source.environment, use)
    if (passphrase !== null) return passphrase
    throw required(`the variable ${show(source.environment)} is not set or empty`)
  }
  return fromTerminal(use, 'there is no terminal to ask for it')
}

const SOURCES = ['file', 'environment', 'prompt'] as const
const WANTED = '"passphrase" expected text, bytes, { file }, { environment } or { prompt: true }'

const FILE_VARIABLE = 'CA_PASSPHRASE_FILE'
const VARIABLE = 'CA_PASSPHRASE'

async function readByDefault(use: PassphraseUse): Promise<Passphrase> {
  const file = process.env[FILE_VARIABLE]
  if (file !== undefined && file !== '') return fromFile(file, use)
  return (
    takeVariable(VARIABLE, use) ??
    fromTerminal(
      use,
      `give "passphrase", set ${FILE_VARIABLE} or ${VARIABLE}, or start the program in a terminal to be asked`,
    )
  )
}

// Longer than any passphrase that OpenSSL takes, with its line end.
const MAX_FILE_BYTES = 4096

/** The bytes of the line, so that a passphrase need not be UTF-8. */
async function fromFile(path: string, use: PassphraseUse): Promise<Uint8Array> {
  const contents = await readFileBytes(path, { maxBytes: MAX_FILE_BYTES })
  if (await isReadableByEverybody(path)) use.onExposedFile(path)
  const end = contents.indexOf('\n')
  if (end !== -1 && end !== contents.length - 1) {
    throw invalid(`${path} holds more than one line, and a passphrase is one`)
  }
  const line = end === -1 ? contents : contents.subarray(0, contents[end - 1] === CARRIAGE_RETURN ? end - 1 : end)
  if (line.length === 0) throw invalid(`${path} is empty; it should hold the passphrase`)
  if (use.isNew) requireUsable(line, path)
  return line
}

const CARRIAGE_RETURN = 0x0d

/** Only that: a group for such files is a common arrangement. Windows says nothing by the mode. */
async function isReadableByEverybody(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => null)
  return process.platform !== 'win32' && stats !== null && (stats.mode & 0o004) !== 0
}

/** Reads a variable and deletes it; null if it is not set or empty. */
function takeVariable(name: string, use: PassphraseUse): string | null {
  const value = process.env[name]
  if (value === undefined || value === '') return null
  delete process.env[name]
  // Node reads the environment as UTF-8, and one passphrase that is not must not become another one.
  if (value.includes('\ufffd')) throw invalid(`the variable ${name} is not UTF-8; put the passphrase into a file`)
  if (use.isNew) requireUsable(value, `the variable ${name}`)
  return value
}

async function fromTerminal({ keyPath, isNew }: PassphraseUse, otherwise: string): Promise<string> {
  const state = terminalState()
  if (state === 'none') throw required(otherwise)
  if (state === 'in_use') throw required('the terminal is in use by another part of the program')
  const key = show(keyPath)
  const answers = await askInTerminal(
    isNew ? [`New passphrase for ${key}: `, 'The same once more: '] : [`Passphrase for ${key}: `],
  )
  const [passphrase, again = passphrase] = answers ?? []
  if (passphrase === undefined || passphrase === '') throw required('none was entered')
  if (passphrase !== again) throw invalid('the two passphrases that were entered differ')
  if (isNew) requireUsable(passphrase, 'what was entered')
  return passphrase
}

/** The same check as for an argument, as an error about data and not about the program. */
function requireUsable(passphrase: Passphrase, what: string): void {
  try {
    requirePassphrase('passphrase', passphrase)
  } catch {
    throw invalid(`${what} is too long for a passphrase; OpenSSL takes up to 1024 bytes`)
  }
}

function required(problem: string): AuthorityError {
  return new AuthorityError(
    'ERR_TLACACOCA_AUTHORITY_PASSPHRASE_REQUIRED',
    `the passphrase of the authority's key is needed: ${problem}`,
  )
}

function invalid(problem: string): AuthorityError {
  return new AuthorityError('ERR_TLACACOCA_AUTHORITY_PASSPHRASE_INVALID', problem)
}
