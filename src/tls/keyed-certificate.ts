// A certificate of ours with its key: a chain by the rules of the small web, and ready for OpenSSL.

import type { Member } from '../certificate/chain-members.ts'
import { malformed } from '../certificate/der.ts'
import { certificatesIn, chainOf, type KeyedChain, pemOf } from '../certificate/keyed-chain.ts'
import { MAX_CERTIFICATE_FILE_BYTES } from '../certificate/load.ts'
import type { Passphrase } from '../certificate/passphrase.ts'
import { loadPrivateKey } from '../certificate/private-key.ts'
import { textOf } from '../certificate/source.ts'
import { ChainError, ContextError, ExtraneousPrivateKeyError, PrivateKeyError } from '../errors.ts'
import { requireOptions, requireString } from '../internal/arguments.ts'
import { readFileBytes } from '../internal/atomic-file.ts'
import { prefixed } from './prefixed-error.ts'
import { requireChain } from './sans-io/chain-arguments.ts'
import { signingKeyOf } from './sans-io/key-fit.ts'
import { isCurve } from './sans-io/signature-schemes.ts'

/** Where a certificate and its key come from: PEM files, PEM text, or a chain that was made of them before. */
export type KeyedSource = ((PemFiles | PemPair) & { readonly passphrase?: Passphrase }) | GivenChain

export interface PemFiles {
  readonly certFile: string
  readonly keyFile: string
}

export interface PemPair {
  readonly cert: string
  readonly key: string
}

export interface GivenChain {
  readonly chain: KeyedChain
}

/** What to call the two parts in messages. */
export interface PartLabels {
  readonly cert: string
  readonly key: string
}

export interface KeyedCertificate {
  readonly chain: KeyedChain
  readonly certPem: string
  /** PKCS#8, not encrypted: for OpenSSL and for nobody else. */
  readonly keyPem: string
  /** As OpenSSL tells keys apart: a handshake can choose among one certificate of each type. */
  readonly keyType: string
}

/**
 * Checks the shape of a source, so that misuse shows before anything is read.
 *
 * @param others - What else the source may have, apart from its parts and a passphrase.
 * @throws {TypeError} If it is of no kind. A key is never shown in a message.
 */
export function requireKeyedSource(name: string, source: unknown, others: readonly string[]): void {
  const has = (part: string): boolean => typeof source === 'object' && source !== null && part in source
  if (has('chain')) {
    requireOptions(name, source, ['chain', ...others])
    requireChain(`${name}.chain`, (source as { chain?: unknown }).chain)
    return
  }
  const [cert, key] =
    has('certFile') || has('keyFile') ? (['certFile', 'keyFile'] as const) : (['cert', 'key'] as const)
  requireOptions(name, source, [cert, key, 'passphrase', ...others])
  const values: Readonly<Record<string, unknown>> = { ...source }
  requireString(`${name}.${cert}`, values[cert])
  if (typeof values[key] !== 'string') throw new TypeError(`"${name}.${key}" expected a string`)
  const { passphrase } = source as { passphrase?: unknown }
  if (passphrase !== undefined && typeof passphrase !== 'string' && !(passphrase instanceof Uint8Array)) {
    throw new TypeError(`"${name}.passphrase" expected a string or bytes`)
  }
}

/** Names the parts: by their files, where they are files. */
export function labelsOf(name: string, source: KeyedSource): PartLabels {
  if (!('certFile' in source)) return { cert: name, key: name }
  return { cert: `${name} (${source.certFile})`, key: `${name} (${source.keyFile})` }
}

/**
 * Reads the two texts.
 *
 * @throws {FileError}
 */
export async function readPemPair(source: PemFiles | PemPair, labels: PartLabels): Promise<PemPair> {
  if (!('certFile' in source)) return { cert: source.cert, key: source.key }
  return {
    cert: await labelled(labels.cert, () => readPem(source.certFile)),
    key: await labelled(labels.key, () => readPem(source.keyFile)),
  }
}

/**
 * Makes a chain of two texts, and checks that a peer could be shown it. OpenSSL sends whatever stands after the first
 * certificate, and takes an RSA key for an EC certificate without a word, and then every handshake fails.
 *
 * What a certificate is by itself is no reason to refuse it: it may be weak, of version 1, expired, or meant for something
 * else. Who trusts on first use compares fingerprints, and the small web has all of these.
 *
 * @throws {CertificateError} If there is no PEM in the text of the certificates at all.
 * @throws {ChainError} If something in it is wrong, or is no part of the chain.
 * @throws {PrivateKeyError} If the key cannot be read, does not open or is not the leaf's.
 * @throws {ContextError} If TLS has no place for such a key. All messages begin with the label of the part.
 */
export async function loadKeyedCertificate(
  texts: PemPair,
  labels: PartLabels,
  passphrase: Passphrase | undefined,
): Promise<KeyedCertificate> {
  const members = await labelled(labels.cert, () => membersIn(texts.cert))
  const key = await labelled(labels.key, () => loadPrivateKey(texts.key, { passphrase }))
  let chain: KeyedChain
  try {
    chain = chainOf(members, key, LENIENT)
  } catch (error) {
    // There is one key, and nothing is wrong with it but whose it is.
    if (error instanceof ExtraneousPrivateKeyError) {
      throw prefixed(labels.key, new PrivateKeyError('ERR_TLACACOCA_KEY_MISMATCH', error.message))
    }
    // With `allowWeak`, only keys of a kind that TLS does not have are left for this.
    const unfit = error instanceof ChainError && error.code === 'ERR_TLACACOCA_CHAIN_WEAK'
    throw prefixed(labels.cert, unfit ? new ContextError(error.message, { cause: error }) : error)
  }
  return keyedCertificate(chain, labels.cert)
}

const LENIENT = { rules: 'smallweb', purpose: 'any', allowVersion1: true, allowWeak: true } as const

/** @throws {ContextError} If TLS has no place for the key of a chain. With such a key every handshake would fail. */
export function keyedCertificate(chain: KeyedChain, label: string): KeyedCertificate {
  const { leaf } = chain
  const kind = signingKeyOf(leaf)
  if (kind === null) {
    throw new ContextError(`${label}: TLS cannot carry a key of this kind (${leaf.keyCurve ?? 'unknown'})`)
  }
  const { cert, key } = pemOf(chain)
  return { chain, certPem: cert, keyPem: key, keyType: isCurve(kind) ? 'ec' : kind }
}

function membersIn(pem: string): Member[] {
  // A text of another kind altogether is no chain with a mistake in it.
  if (!pem.includes('-----')) throw malformed('there is none in the text')
  return certificatesIn({ name: null, pem }, true)
}

async function readPem(path: string): Promise<string> {
  return textOf(await readFileBytes(path, { maxBytes: MAX_CERTIFICATE_FILE_BYTES }))
}

async function labelled<Result>(label: string, action: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await action()
  } catch (error) {
    throw prefixed(label, error)
  }
}
