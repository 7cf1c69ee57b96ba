// A list of known hosts that somebody vouches for. A detached signature goes with the file; whoever has the signer's key,
// or only its fingerprint on paper, can tell that the list is theirs and that nobody has changed it since.
//
// What is signed is a short statement that names the digest of the file, not the file itself: so a list of any length is
// hashed as it is read, and what was imported is what was checked. The statement begins with words that nothing else
// which such a key signs begins with.
//
//   printf 'tlacacoca known hosts 1\nsha256:<hex>\n2026-11-26T03:00:00.000Z\n' | openssl dgst -sha256 -verify …

import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { type Fingerprint, isFingerprint, publicKeyFingerprint } from '../certificate/fingerprint.ts'
import { keyObjectOf, readPublicKeyInfo } from '../certificate/public-key.ts'
import { SignatureError } from '../errors.ts'
import { requireBoolean, requireFunction, requireOptions, requireString, show } from '../internal/arguments.ts'
import { writeFileAtomic } from '../internal/atomic-file.ts'
import { type Clock, systemClock } from '../internal/clock.ts'
import { SourceFile, unreadable } from './formats/source-file.ts'
import type { Pin } from './pin.ts'

/** How to sign a list. */
export interface SignListOptions {
  /** The signer's private key, on P-256 or Ed25519: see `loadPrivateKey`. */
  readonly privateKey: KeyObject
  /** Where to write the signature. Default: the name of the list, and `.sig`. */
  readonly signaturePath?: string
  /** Whether a file of that name may be replaced. Default false. */
  readonly overwrite?: boolean
  readonly clock?: Clock
}

/** Whose signature a list must have, to be imported. */
export interface ListSignature {
  /** The fingerprint of the signer's public key, `spki-sha256:…`, as they told it by another way than the list came. */
  readonly signedBy: Fingerprint
  /** What the signer is called: pins that come in get the source `vouched by <name>`. */
  readonly name: string
  /** Where the signature is. Default: the name of the list, and `.sig`. */
  readonly path?: string
}

/**
 * Signs a list of known hosts that was exported, for a friend to import.
 *
 * @returns The fingerprint of the signer's public key, which the friend needs, by another way than the list.
 * @throws {FileError} If the list cannot be read, or the signature not be written.
 * @throws {TypeError} If the key is not a private key on P-256 or Ed25519.
 * @example
 * import { loadPrivateKey } from 'tlacacoca/certificate'
 * import { signKnownHosts, TofuStore } from 'tlacacoca/tofu'
 * import { readFile } from 'node:fs/promises'
 *
 * await using known = await TofuStore.open({ appName: 'my-client' })
 * await known.exportToml('known-hosts.toml')
 * const privateKey = await loadPrivateKey(await readFile('my-key.pem'))
 * console.log(await signKnownHosts('known-hosts.toml', { privateKey }))
 */
export async function signKnownHosts(path: string, options: SignListOptions): Promise<Fingerprint> {
  requireString('path', path)
  requireOptions('options', options, ['privateKey', 'signaturePath', 'overwrite', 'clock'])
  const { privateKey, signaturePath = `${path}.sig`, overwrite = false, clock = systemClock } = options
  requireString('signaturePath', signaturePath)
  requireBoolean('overwrite', overwrite)
  requireFunction('clock', clock)
  const spki = publicHalfOf(privateKey)
  const digest = await digestOf(path)
  const signedAt = new Date(clock()).toISOString()
  const signature = sign(hashFor(privateKey), statement(digest, signedAt), privateKey)
  const lines = [HEADER, `sha256: ${digest}`, `signed-at: ${signedAt}`, `public-key: ${base64(spki)}`]
  const text = `${[...lines, `signature: ${base64(signature)}`].join('\n')}\n`
  await writeFileAtomic(signaturePath, text, { mode: 0o600, overwrite })
  return publicKeyFingerprint(spki)
}

/** @internal A list that is to be imported, and the signature that it must have. */
export class VouchedList {
  readonly #path: string
  readonly #signaturePath: string
  readonly #signer: string
  /** The digest that was signed. */
  readonly #signed: string
  /** The digest of what was read; null before the end. */
  #read: string | null = null

  private constructor(path: string, signaturePath: string, signer: string, signed: string) {
    this.#path = path
    this.#signaturePath = signaturePath
    this.#signer = signer
    this.#signed = signed
  }

  /** Reads the signature, and checks that the signer made it. */
  static async of(listPath: string, signature: ListSignature): Promise<VouchedList> {
    requireOptions('signature', signature, ['signedBy', 'name', 'path'])
    const { signedBy, name, path = `${listPath}.sig` } = signature
    if (!isFingerprint(signedBy) || !signedBy.startsWith('spki-sha256:')) {
      throw new TypeError(`"signature.signedBy" expected the fingerprint of a public key, got ${show(signedBy)}`)
    }
    requireString('signature.name', name)
    requireString('signature.path', path)
    const { digest, signedAt, spki, octets } = readSignature(path, await textOf(path))
    const signer = publicKeyFingerprint(spki)
    if (signer !== signedBy) {
      throw new SignatureError('other_signer', `${path} was made by ${signer}, not by ${signedBy} (${show(name)})`)
    }
    if (!holds(spki, statement(digest, signedAt), octets)) {
      throw new SignatureError('forged', `${path} was not made with the key that it names: it was changed, or forged`)
    }
    return new VouchedList(listPath, path, name, digest)
  }

  /** The bytes of the list as they are read. If they are read anew from the beginning, the last time counts. */
  async *bytesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    this.#read = null
    const hash = createHash('sha256')
    for await (const chunk of chunks) {
      hash.update(chunk)
      yield chunk
    }
    this.#read = hash.digest('hex')
  }

  /** A pin of the list, as it is for us. */
  pinOf(pin: Pin): Pin {
    const state = pin.state === 'verified' ? 'trusted' : pin.state
    return { ...pin, state, source: `vouched by ${this.#signer}` }
  }

  /** Throws unless what was read is what was signed. What was given up for its mistakes was perhaps not read to its end. */
  requireUnchanged(isGivenUp: boolean): void {
    if (this.#read === this.#signed || (this.#read === null && isGivenUp)) return
    const message = `${this.#path} is not what was signed in ${this.#signaturePath}: it was changed, or is another list`
    throw new SignatureError('other_list', message)
  }
}

interface SignatureParts {
  readonly digest: string
  readonly signedAt: string
  readonly spki: Uint8Array
  readonly octets: Uint8Array
}

function readSignature(path: string, text: string): SignatureParts {
  const { digest, signedAt, publicKey, signature } = FORM.exec(text)?.groups ?? {}
  const [spki, octets] = [Buffer.from(publicKey ?? '', 'base64'), Buffer.from(signature ?? '', 'base64')]
  // What is not written in the one way that it can be is not what was signed.
  if (digest === undefined || signedAt === undefined || base64(spki) !== publicKey || base64(octets) !== signature) {
    throw new SignatureError('malformed', `${path} is not a signature of a list of known hosts`)
  }
  return { digest, signedAt, spki, octets }
}

const HEADER = 'tlacacoca known hosts signature 1'
// Keys and signatures of the two kinds take some hundred bytes.
const MAX_BYTES = 4096
const FORM =
  /^tlacacoca known hosts signature 1\r?\nsha256: (?<digest>[0-9a-f]{64})\r?\nsigned-at: (?<signedAt>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\r?\npublic-key: (?<publicKey>[A-Za-z0-9+/=]+)\r?\nsignature: (?<signature>[A-Za-z0-9+/=]+)\r?\n?$/

function statement(digest: string, signedAt: string): Buffer {
  return Buffer.from(`tlacacoca known hosts 1\nsha256:${digest}\n${signedAt}\n`)
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  const file = await SourceFile.open(path)
  try {
    for await (const chunk of file.chunks()) hash.update(chunk)
    await file.requireUnchanged()
  } finally {
    await file.close()
  }
  return hash.digest('hex')
}

/** A signature, which is a small ordinary file. */
async function textOf(path: string): Promise<string> {
  const file = await SourceFile.open(path)
  try {
    if (file.size > MAX_BYTES) throw unreadable(path, `is larger than ${MAX_BYTES} bytes, and no signature`)
    return (await file.head(MAX_BYTES)).toString('utf8')
  } finally {
    await file.close()
  }
}

function publicHalfOf(privateKey: KeyObject): Buffer {
  const { type, asymmetricKeyType, asymmetricKeyDetails } = privateKey ?? {}
  const isP256 = asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === 'prime256v1'
  if (type !== 'private' || !(isP256 || asymmetricKeyType === 'ed25519')) {
    throw new TypeError('"privateKey" expected a private key on P-256 or Ed25519 (see loadPrivateKey)')
  }
  return createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
}

function hashFor(key: KeyObject): 'sha256' | null {
  return key.asymmetricKeyType === 'ed25519' ? null : 'sha256'
}

/** Whether a signature holds. The key comes with the signature, from whoever made that. */
function holds(spki: Uint8Array, signed: Uint8Array, signature: Uint8Array): boolean {
  try {
    const { type, curve } = readPublicKeyInfo(spki)
    if (type !== 'ed25519' && curve !== 'P-256') return false
    const key = keyObjectOf(spki)
    return verify(hashFor(key), signed, key, signature)
  } catch {
    // A key that cannot be one has signed nothing.
    return false
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
