// One import: what opens its keys, what has gone wrong so far, and how much more of it will be read.
//
// All of it comes out of files that somebody may have made for the purpose. The sizes of files are limited where they are
// read; here it is the number of things in them, and the work that they ask for.

import type { KeyObject } from 'node:crypto'
import type { Passphrase } from '../../certificate/passphrase.ts'
import type { PemBlock } from '../../certificate/pem.ts'
import { openPrivateKey, publicHalf } from '../../certificate/private-key.ts'
import { readPublicKeyInfo } from '../../certificate/public-key.ts'
import { CertificateError, FileError, IdentityError, Pkcs12Error, PrivateKeyError } from '../../errors.ts'
import { show } from '../../internal/arguments.ts'
import { codeOf } from '../../internal/atomic-file.ts'
import type { ImportPlace, ImportProblem, ImportProblemCode } from './imported-identity.ts'

/** Far more than anybody has: certificates and keys together. */
const MAX_OBJECTS = 2_000
// Each may take a second or two of a core to open.
const MAX_ENCRYPTED_KEYS = 32
// A signature by one of 16,384 bits takes a quarter of a second, and is made on the event loop.
const MAX_RSA_BITS = 8192
const MAX_PROBLEMS = 1_000

export class ImportContext {
  readonly #passphrase: Passphrase | undefined
  readonly #problems: ImportProblem[] = []
  #objects = 0
  #encryptedKeys = 0

  constructor(passphrase: Passphrase | undefined) {
    this.#passphrase = passphrase
  }

  get problems(): readonly ImportProblem[] {
    return Object.freeze([...this.#problems])
  }

  /** Notes something that is not taken over. `what` is a sentence without its end. */
  report(code: ImportProblemCode, place: ImportPlace, what: string): void {
    if (this.#problems.length > MAX_PROBLEMS) return
    if (this.#problems.length === MAX_PROBLEMS) {
      this.#problems.push(
        problemAt('ERR_TLACACOCA_IDENTITY_FORMAT_EXCESSIVE', {}, 'there are more problems than these'),
      )
      return
    }
    this.#problems.push(problemAt(code, place, what))
  }

  /** Notes an error of this library as a problem. Every other error is a bug, and is thrown again. */
  reportError(error: unknown, place: ImportPlace): void {
    /* v8 ignore if -- @preserve only a fault of our own could be another error */
    if (!isOrdinary(error)) throw error
    const what = error instanceof FileError ? fileTrouble(error, place) : adviceFor(error)
    this.report(error.code, place, what)
  }

  /** Whether one more certificate or key is to be read. The first that is one too many is a problem. */
  takes(place: ImportPlace): boolean {
    this.#objects++
    if (this.#objects === MAX_OBJECTS + 1) {
      const what = `no more than ${MAX_OBJECTS} certificates and keys are read at once; import the others separately`
      this.report('ERR_TLACACOCA_IDENTITY_FORMAT_EXCESSIVE', place, what)
    }
    return this.#objects <= MAX_OBJECTS
  }

  /** Whether nothing more is read. */
  get isFull(): boolean {
    return this.#objects > MAX_OBJECTS
  }

  /** Opens a private key; null, and a problem, if it does not open. */
  async openKey(block: PemBlock, place: ImportPlace): Promise<KeyObject | null> {
    try {
      if (isEncrypted(block) && ++this.#encryptedKeys > MAX_ENCRYPTED_KEYS) {
        const what = `no more than ${MAX_ENCRYPTED_KEYS} encrypted keys are opened at once; import the others separately`
        this.report('ERR_TLACACOCA_IDENTITY_FORMAT_EXCESSIVE', place, what)
        return null
      }
      const key = await openPrivateKey(block, this.#passphrase)
      const { type, size } = readPublicKeyInfo(publicHalf(key))
      if (type === 'rsa' && size !== null && size > MAX_RSA_BITS) {
        const what = `the RSA key has ${size} bits; ${MAX_RSA_BITS} is the limit`
        this.report('ERR_TLACACOCA_IDENTITY_FORMAT_EXCESSIVE', place, what)
        return null
      }
      return key
    } catch (error) {
      this.reportError(error, place)
      return null
    }
  }
}

/** A problem, with its place in its message. */
export function problemAt(code: ImportProblemCode, place: ImportPlace, what: string): ImportProblem {
  const { file = null, line = null, column = null, offset = null } = place
  const words = [
    ...(file === null ? [] : [plain(file)]),
    ...(line === null ? [] : [`line ${line}`]),
    ...(column === null ? [] : [`column ${column}`]),
    ...(offset === null ? [] : [`byte ${offset}`]),
  ]
  const where = words.length === 0 ? '' : `${words.join(', ')}: `
  return Object.freeze({ code, message: `${where}${what}`, file, line, column, offset })
}

/** A file name for a message: as it is, unless something in it could be mistaken for something else. */
function plain(file: string): string {
  // In pieces, because only the beginning of a long text is shown, and it is the end that tells files apart.
  const shown = (file.match(/[\s\S]{1,80}/g) ?? []).map((piece) => show(piece).slice(1, -1)).join('')
  return shown === file && !file.includes(': ') ? file : `"${shown}"`
}

/** What is wrong with a file, without its name if the place says it already. */
function fileTrouble(error: FileError, { file }: ImportPlace): string {
  const name = file === error.path ? 'it' : plain(error.path)
  if (error.code === 'ERR_TLACACOCA_FILE_NOT_FOUND')
    return name === 'it' ? 'there is no such file' : `there is no file ${name}`
  const { cause, message, path } = error
  return cause === undefined ? `${name} ${message.slice(path.length + 1)}` : `${name} cannot be read: ${codeOf(cause)}`
}

type Ordinary = CertificateError | FileError | Pkcs12Error | PrivateKeyError

function isOrdinary(error: unknown): error is Ordinary {
  return [CertificateError, FileError, Pkcs12Error, PrivateKeyError].some((kind) => error instanceof kind)
}

function adviceFor(error: Ordinary): string {
  switch (error.code) {
    case 'ERR_TLACACOCA_KEY_PASSPHRASE_REQUIRED':
      return 'the private key is encrypted; give its passphrase as the option "passphrase"'
    case 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG':
      return `${error.message}; import keys with different passphrases one after the other`
    default:
      return error.message
  }
}

/** Whether opening it would take a derivation. What cannot be told counts as a yes. */
function isEncrypted({ label, headers, der }: PemBlock): boolean {
  if (headers.length > 0 || label.startsWith('ENCRYPTED')) return true
  // In a PrivateKeyInfo and in the older forms, a version comes first: an INTEGER.
  const lengthBytes = (der[1] ?? 0) < 0x80 ? 1 : 1 + ((der[1] ?? 0) & 0x7f)
  return der[1 + lengthBytes] !== 0x02
}

/** The error for a source that cannot be read at all. */
export function formatError(
  kind: 'INVALID' | 'UNSUPPORTED' | 'EXCESSIVE',
  place: ImportPlace,
  what: string,
): IdentityError {
  const code = `ERR_TLACACOCA_IDENTITY_FORMAT_${kind}` as const
  return new IdentityError(code, problemAt(code, place, what).message)
}
