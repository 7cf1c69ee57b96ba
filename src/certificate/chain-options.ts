// How strict to be with chains of ours: the options of all their readers, and what they come to.

import { requireBoolean, requireDate, requireOneOf } from '../internal/arguments.ts'
import { requireOpener } from './chain-source.ts'
import type { Passphrase } from './passphrase.ts'
import type { PathPurpose } from './path-rules.ts'
import type { Pkcs12ReadOptions } from './pkcs12-read.ts'
import { requireTrustStore, type TrustStore } from './trust-store.ts'

/**
 * How strict to be about what the small web has. `smallweb` takes a self-signed certificate that is marked as an
 * authority for the leaf, which is what `openssl req -x509` makes, and weak signatures and keys for client identities,
 * whom nobody recognises by a signature. `pkix` takes neither.
 */
export type ChainRules = 'smallweb' | 'pkix'

/** What a chain of ours must be, and where it must lead. */
export interface ChainOptions {
  /** Default `smallweb`. */
  readonly rules?: ChainRules
  /**
   * Whether a server shows the chain or a client; its certificates must allow that where they list key usages. `any`:
   * they may list what they like. Default `server`.
   */
  readonly purpose?: PathPurpose | 'any'
  /** Whether certificates in another order than leaf to root are an error; otherwise they are sorted. Default false. */
  readonly strictOrder?: boolean
  /** Whether a server's certificate may be one of version 1 or 2. Those of clients may with `smallweb`. Default false. */
  readonly allowVersion1?: boolean
  /**
   * Whether keys and signatures of a server's chain may be weak (RSA below 2048 bits or with an odd exponent, SHA-1), or
   * an RSA key so large that others refuse it. Those of clients may with `smallweb`. Default false.
   */
  readonly allowWeak?: boolean
  /** The instant at which to judge the dates. Default: now. */
  readonly at?: Date
  /**
   * The authorities that the chain must lead to. It is checked as a stranger would check it then, dates included.
   * Default: it may lead anywhere, and dates give warnings.
   */
  readonly roots?: TrustStore
}

/** @internal The same with all defaults in place. */
export interface Rules {
  readonly selfIssuedLeaf: boolean
  readonly allowWeak: boolean
  readonly allowVersion1: boolean
  readonly purpose: PathPurpose | 'any'
  readonly strictOrder: boolean
  readonly at: Date
}

/** @internal The names of the options, for `requireOptions`. */
export const CHAIN_OPTIONS = ['rules', 'purpose', 'strictOrder', 'allowVersion1', 'allowWeak', 'at', 'roots'] as const

/** How PEM text is read. */
export interface ChainPemOptions extends ChainOptions {
  /** Opens an encrypted key. */
  readonly passphrase?: Passphrase
  /** Whether comments (lines with `#`, and what OpenSSL writes over blocks) may stand between the blocks. Default false. */
  readonly allowComments?: boolean
}

/** A chain and its key as PEM text. */
export interface KeyedChainTexts extends ChainPemOptions {
  /** The certificates: leaf and authorities in any order, and nothing else. */
  readonly cert: string
  /** The private key of the leaf, and nothing else. */
  readonly key: string
}

/** A chain and its key as PEM files. */
export interface KeyedChainFiles extends ChainPemOptions {
  /** The certificates: leaf and authorities in any order, and nothing else. */
  readonly certFile: string
  /** The private key of the leaf, and nothing else. */
  readonly keyFile: string
  /** Whether a key file that others can read is an error; otherwise it gives a warning. Not looked at on Windows. Default false. */
  readonly strictPermissions?: boolean
}

/** How a PKCS#12 file with a chain and its key is read. */
export interface KeyedChainPkcs12 extends ChainOptions, Pkcs12ReadOptions {}

/** @internal The names of the options that PEM text is read with. */
export const PEM_OPTIONS = ['passphrase', 'allowComments', ...CHAIN_OPTIONS] as const

/** @internal The options of a chain, checked, with all defaults in place. */
export interface ChainSettings {
  readonly rules: Rules
  readonly roots: TrustStore | undefined
}

/** @internal The same for PEM text. */
export interface PemSettings extends ChainSettings {
  readonly allowComments: boolean
  readonly passphrase: Passphrase | undefined
}

/** @internal @throws {TypeError | RangeError} If an option is wrong. */
export function readOptions(options: ChainOptions): ChainSettings {
  const { roots } = options
  if (roots !== undefined) requireTrustStore('roots', roots)
  return { rules: rulesOf(options), roots }
}

function rulesOf(options: ChainOptions): Rules {
  const {
    rules = 'smallweb',
    purpose = 'server',
    strictOrder = false,
    allowVersion1 = false,
    allowWeak = false,
    at = new Date(),
  } = options
  requireOneOf('rules', rules, ['smallweb', 'pkix'])
  requireOneOf('purpose', purpose, ['server', 'client', 'any'])
  requireBoolean('strictOrder', strictOrder)
  requireBoolean('allowVersion1', allowVersion1)
  requireBoolean('allowWeak', allowWeak)
  requireDate('at', at)
  const lenient = rules === 'smallweb' && purpose === 'client'
  return {
    selfIssuedLeaf: rules === 'smallweb',
    allowWeak: allowWeak || lenient,
    allowVersion1: allowVersion1 || lenient,
    purpose,
    strictOrder,
    // A Date can be changed by whoever passed it.
    at: new Date(at),
  }
}

/** @internal @throws {TypeError | RangeError} If an option is wrong. */
export function readPemOptions(options: ChainPemOptions): PemSettings {
  const { allowComments = false, passphrase } = options
  requireBoolean('allowComments', allowComments)
  requireOpener(passphrase)
  return { ...readOptions(options), allowComments, passphrase }
}
