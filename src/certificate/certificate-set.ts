import { readdir } from 'node:fs/promises'
import { extname, join } from 'node:path'
import {
  ChainError,
  ExtraneousPrivateKeyError,
  LeafCertificateHasNoPrivateKeyError,
  MoreThanOneLeafCertificateError,
  NoLeafCertificateError,
} from '../errors.ts'
import { requireBoolean, requireOptions, requireString, show } from '../internal/arguments.ts'
import { reading } from '../internal/atomic-file.ts'
import { assembleChains } from './chain.ts'
import { claimsAuthority } from './chain-family.ts'
import { type Member, requireReadable } from './chain-members.ts'
import { type ChainPemOptions, type KeyedChainFiles, PEM_OPTIONS, readPemOptions } from './chain-options.ts'
import { keysIn, membersIn } from './chain-source.ts'
import { KeyedChain, keyedChain } from './keyed-chain.ts'
import { requireLabels, strictBlocks } from './strict-pem.ts'

/** How {@link CertificateSet.fromPem} reads. */
export interface CertificateSetOptions extends Omit<ChainPemOptions, 'strictOrder'> {
  /** Whether several leaves may have one private key. Default false. */
  readonly allowSharedKey?: boolean
}

/** How {@link CertificateSet.fromDirectory} reads. */
export interface CertificateDirectoryOptions
  extends ChainPemOptions,
    Pick<KeyedChainFiles, 'strictPermissions'>,
    Pick<CertificateSetOptions, 'allowSharedKey'> {}

// Set inside the class, which alone can make one.
let make: (chains: readonly KeyedChain[]) => CertificateSet

/**
 * Several chains with their keys: what a server has that answers to several names. There is at least one in it.
 *
 * @example
 * import { readFile } from 'node:fs/promises'
 * import { CertificateSet } from 'tlacacoca/certificate'
 *
 * const texts = await Promise.all(['all-certificates.pem', 'all-keys.pem'].map((file) => readFile(file, 'utf8')))
 * const { chains } = await CertificateSet.fromPem(texts)
 * for (const { leaf } of chains) console.log(leaf.subjectAltNames.dns)
 */
export class CertificateSet {
  readonly chains: readonly KeyedChain[]

  private constructor(chains: readonly KeyedChain[]) {
    this.chains = Object.freeze([...chains])
    Object.freeze(this)
  }

  /**
   * Reads chains from PEM text: leaves, authorities and private keys in any order. Keys are matched to leaves by what
   * they sign; chains may share authorities. Whatever belongs to no chain is an error.
   *
   * @param pem - One text or several. An authority may be in several of them; all else must be there once.
   * @returns The chains in the order of their leaves.
   * @throws {ChainError} As {@link KeyedChain.fromPem} does; CHAIN_DUPLICATE_KEY if leaves share a key. Places are given
   *   as lines of `text 1`, `text 2` and so on, if there are several.
   * @throws {PrivateKeyError} If a key cannot be read, or does not open.
   */
  static async fromPem(pem: string | readonly string[], options: CertificateSetOptions = {}): Promise<CertificateSet> {
    requireOptions('options', options, [...PEM_OPTIONS.filter((each) => each !== 'strictOrder'), 'allowSharedKey'])
    const { allowSharedKey = false } = options
    requireBoolean('allowSharedKey', allowSharedKey)
    const settings = readPemOptions(options)
    const blocks = textsOf(pem).map((text, index, { length }) =>
      strictBlocks({ name: length === 1 ? null : `text ${index + 1}`, pem: text }, settings.allowComments),
    )
    for (const each of blocks) requireLabels(each, 'anything')
    const members = withSharedAuthorities(blocks.map(membersIn))
    const keys = await keysIn(blocks.flat(), settings.passphrase)
    const chains = assembleChains({ members, keys }, settings.rules, allowSharedKey)
    return make(chains.map((chain) => keyedChain(chain, settings, [])))
  }

  /**
   * Reads the chains in a folder: each file `name.pem`, `name.crt` or `name.cer` with the file `name.key` beside it.
   * Other files, files whose name begins with a dot and folders inside are left alone.
   *
   * @throws {FileError} If the folder or a file cannot be read.
   * @throws {ChainError} | {PrivateKeyError} As {@link KeyedChain.fromFiles} does, for the first file, by name, that
   *   something is wrong with; its message names the file.
   */
  static async fromDirectory(path: string, options: CertificateDirectoryOptions = {}): Promise<CertificateSet> {
    requireString('path', path)
    const { allowSharedKey = false, ...rest } = options
    requireOptions('options', rest, ['strictPermissions', ...PEM_OPTIONS])
    requireBoolean('allowSharedKey', allowSharedKey)
    const chains: KeyedChain[] = []
    const byLeaf = new Map<string, string>()
    const byKey = new Map<string, string>()
    for (const files of await pairsIn(path)) {
      const chain = await KeyedChain.fromFiles({ ...files, ...rest })
      const { fingerprint, publicKeyFingerprint } = chain.leaf
      requireApart(
        files.certFile,
        chain,
        byLeaf.get(fingerprint),
        allowSharedKey ? undefined : byKey.get(publicKeyFingerprint),
      )
      byLeaf.set(fingerprint, files.certFile)
      byKey.set(publicKeyFingerprint, files.certFile)
      chains.push(chain)
    }
    return make(chains)
  }

  static {
    make = (chains) => new CertificateSet(chains)
  }
}

function textsOf(pem: unknown): readonly string[] {
  const texts: unknown = typeof pem === 'string' ? [pem] : pem
  if (!Array.isArray(texts) || texts.length === 0) {
    throw new TypeError(`"pem" expected PEM text or a list of texts, got ${show(pem)}`)
  }
  for (const [index, text] of texts.entries()) {
    if (typeof text !== 'string') throw new TypeError(`"pem[${index}]" expected a string`)
  }
  return texts
}

/** Full chains of one authority have its certificate each; among the members it is needed once. */
function withSharedAuthorities(texts: readonly (readonly Member[])[]): Member[] {
  const elsewhere = new Set<string>()
  return texts.flatMap((members) => {
    for (const member of members) requireReadable(member)
    const fresh = members.filter(
      ({ certificate }) => !(elsewhere.has(certificate.fingerprint) && claimsAuthority(certificate)),
    )
    for (const { certificate } of members) elsewhere.add(certificate.fingerprint)
    return fresh
  })
}

interface FilePair {
  readonly certFile: string
  readonly keyFile: string
}

const CERTIFICATE_FILES: ReadonlySet<string> = new Set(['.pem', '.crt', '.cer'])

/** The certificate files of a folder with their key files, by name. None may lack the other. */
async function pairsIn(path: string): Promise<FilePair[]> {
  const entries = await reading(path, () => readdir(path, { withFileTypes: true }))
  const names = entries
    .filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .toSorted()
  const keys = new Set(names.filter((name) => extname(name) === '.key'))
  const pairs = new Map<string, FilePair>()
  for (const name of names.filter((each) => CERTIFICATE_FILES.has(extname(each)))) {
    const key = `${name.slice(0, -extname(name).length)}.key`
    const certFile = join(path, name)
    const taken = pairs.get(key)
    if (!keys.has(key)) {
      throw new LeafCertificateHasNoPrivateKeyError(
        `${certFile} has no private key beside it; put it into ${join(path, key)}, or the file elsewhere`,
      )
    }
    if (taken !== undefined) {
      throw new MoreThanOneLeafCertificateError(
        `${taken.certFile} and ${certFile} are both for ${taken.keyFile}; remove one`,
      )
    }
    pairs.set(key, { certFile, keyFile: join(path, key) })
  }
  const lonely = [...keys].find((key) => !pairs.has(key))
  if (lonely !== undefined) {
    throw new ExtraneousPrivateKeyError(
      `${join(path, lonely)} has no certificate beside it (.pem, .crt or .cer under the same name); add it, or remove the key`,
    )
  }
  if (pairs.size === 0) {
    throw new NoLeafCertificateError(`there is no certificate file in ${path} (name.pem, name.crt or name.cer)`)
  }
  return [...pairs.values()]
}

/** Two files must not hold one leaf, nor leaves that share a key. */
function requireApart(file: string, { leaf }: KeyedChain, sameLeaf?: string, sameKey?: string): void {
  const facts = { subjects: [String(leaf.subject)] }
  if (sameLeaf !== undefined) {
    const message = `${sameLeaf} and ${file} hold the same certificate, ${show(String(leaf.subject))}; remove one`
    throw new ChainError('ERR_TLACACOCA_CHAIN_DUPLICATE_CERTIFICATE', message, facts)
  }
  if (sameKey !== undefined) {
    const message = `${sameKey} and ${file} are certificates for one private key; make one for each, or set "allowSharedKey"`
    throw new ChainError('ERR_TLACACOCA_CHAIN_DUPLICATE_KEY', message, facts)
  }
}
