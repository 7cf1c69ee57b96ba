import { ChainError, ExtraneousPrivateKeyError } from '../errors.ts'
import { requireBoolean, requireDate, requireList, requireOptions, requireString, show } from '../internal/arguments.ts'
import { Certificate } from './certificate.ts'
import { certificateAt, type Member, requireDistinct, requireReadable } from './chain-members.ts'
import { refuse, requireKey, requireOwnSignature, requireUnderstood } from './chain-rules.ts'
import { isSelfSigned } from './issuance.ts'
import type { IssuanceChecker, IssuanceStatus } from './issuance-checker.ts'
import { IssuedPaths } from './issued-paths.ts'
import { authorityRefusal, datesRefusal } from './path-rules.ts'
import { textOf } from './source.ts'
import { type PlacedBlock, requireLabels, strictBlocks } from './strict-pem.ts'
import { systemAuthorities } from './system-authorities.ts'

/** How {@link TrustStore} checks what goes into it. */
export interface TrustStoreOptions {
  /** The instant at which to judge the dates. Default: now. */
  readonly at?: Date
}

/** How {@link TrustStore.fromPem} reads. */
export interface TrustStorePemOptions extends TrustStoreOptions {
  /** Whether comments (lines with `#`, and what OpenSSL writes over blocks) may stand between the blocks. Default false. */
  readonly allowComments?: boolean
}

// Set inside the class, which alone can read its private field.
let readAuthorities: (store: TrustStore) => readonly Certificate[]

/**
 * The authorities that somebody trusts: a value that never changes and shows nothing of what is in it. A self-signed
 * certificate that is no authority stands for itself. A private key has no place in it, and an empty one does not exist:
 * it would either trust nobody or, as in Node, be taken for "the default".
 *
 * Everything in it must be within its dates, readable, and strong enough to be asked later.
 *
 * @example
 * import { readFile } from 'node:fs/promises'
 * import { TrustStore } from 'tlacacoca/certificate'
 *
 * const club = TrustStore.fromPem(await readFile('club-ca.pem', 'utf8'))
 * console.log(club.size)
 */
export class TrustStore implements IssuanceChecker {
  readonly #authorities: readonly Certificate[]
  readonly #paths: IssuedPaths

  /**
   * @param certificates - A list or a set of certificates.
   * @throws {ExtraneousPrivateKeyError} If a private key is among them, in whatever form.
   * @throws {ChainError} CHAIN_NO_AUTHORITIES if there is none; CHAIN_NOT_AN_AUTHORITY, CHAIN_DUPLICATE_CERTIFICATE,
   *   CHAIN_EXPIRED, CHAIN_NOT_YET_VALID, CHAIN_WEAK, CHAIN_CRITICAL_EXTENSION or CHAIN_CERTIFICATE_MALFORMED for a
   *   certificate that nobody could be trusted by.
   */
  constructor(certificates: Iterable<Certificate>, options: TrustStoreOptions = {}) {
    requireOptions('options', options, ['at'])
    this.#authorities = Object.freeze(
      options === ALREADY_CHECKED ? [...certificates] : checked(membersOf(certificates), options),
    )
    if (this.#authorities.length === 0) throw nobody()
    this.#paths = new IssuedPaths(this.#authorities)
    Object.freeze(this)
  }

  /**
   * Reads authorities from PEM text: certificates, and nothing else.
   *
   * @throws {ExtraneousPrivateKeyError} If there is a private key in it.
   * @throws {ChainError} As the constructor does, with the line; CHAIN_PEM_INVALID and CHAIN_UNEXPECTED_BLOCK too.
   */
  static fromPem(pem: string, options: TrustStorePemOptions = {}): TrustStore {
    requireString('pem', pem)
    requireOptions('options', options, ['at', 'allowComments'])
    const { allowComments = false } = options
    requireBoolean('allowComments', allowComments)
    const blocks = strictBlocks({ name: null, pem }, allowComments)
    requireLabels(blocks, 'authorities')
    return new TrustStore(checked(blocks.map(memberOf), options), ALREADY_CHECKED)
  }

  /**
   * The authorities that this Node trusts: Mozilla's and those of NODE_EXTRA_CA_CERTS (the latter from Node 22.15 on), or
   * the operating system's, if Node was started so. They are taken as they are; whatever is wrong with one shows when
   * it is asked. Reading them takes a moment.
   *
   * @throws {ChainError} CHAIN_NO_AUTHORITIES if this Node trusts nobody.
   */
  static system(): TrustStore {
    return new TrustStore(systemAuthorities(), ALREADY_CHECKED)
  }

  /** Whether a value is a trust store. */
  static is(value: unknown): value is TrustStore {
    return typeof value === 'object' && value !== null && #authorities in value
  }

  /** How many certificates are in it. */
  get size(): number {
    return this.#authorities.length
  }

  /**
   * Whether a client's certificate was issued by one of these authorities, at that instant (RFC 5280, as `validatePath` has
   * it; revocation is not checked). Signatures that were verified are not verified again for the same certificates; dates are.
   *
   * @param chain - What the client sent, its own certificate first.
   * @throws {TypeError | RangeError} If `chain` is no list of certificates or `at` no valid Date.
   */
  issuanceOf(chain: readonly Certificate[], at: Date): IssuanceStatus {
    requireDate('at', at)
    if (!Array.isArray(chain) || !chain.every((each: unknown) => each instanceof Certificate)) {
      throw new TypeError(`"chain" expected a list of certificates, got ${show(chain)}`)
    }
    return this.#paths.judge(chain, at)
  }

  static {
    readAuthorities = (store) => store.#authorities
  }
}

/** @internal What is in a trust store: for whoever checks paths. */
export function authoritiesOf(store: TrustStore): readonly Certificate[] {
  return readAuthorities(store)
}

/**
 * @internal Checks what somebody passed as the authorities to lead to.
 *
 * @throws {ExtraneousPrivateKeyError} If there is a private key in it, whatever it is.
 * @throws {TypeError} If it is no trust store.
 */
export function requireTrustStore(name: string, value: unknown): asserts value is TrustStore {
  if (TrustStore.is(value)) return
  requireNoPrivateKey(value)
  throw new TypeError(`"${name}" expected a TrustStore, got ${show(value)}`)
}

/** Tells the constructor that its certificates come from here. Nobody else has the object. */
const ALREADY_CHECKED: TrustStoreOptions = Object.freeze({})

function checked(members: readonly Member[], { at = new Date() }: TrustStoreOptions): Certificate[] {
  requireDate('at', at)
  for (const member of members) requireReadable(member)
  requireDistinct(members)
  for (const member of members) {
    const { certificate } = member
    requireUnderstood(member)
    requireOwnSignature(member)
    if (!isSelfSigned(certificate)) {
      refuse(member, authorityRefusal(certificate), 'trust the authority that issued it, or a self-signed certificate')
    }
    requireKey(member, false)
    refuse(member, datesRefusal(certificate, at), 'take it out, since nothing that it issued would be accepted')
  }
  return members.map(({ certificate }) => certificate)
}

function membersOf(certificates: unknown): Member[] {
  requireNoPrivateKey(certificates)
  requireList('certificates', certificates)
  return [...certificates].map((entry, index) => {
    if (entry instanceof Certificate) return { certificate: entry, place: null }
    requireNoPrivateKey(entry)
    throw new TypeError(`"certificates[${index}]" expected a Certificate, got ${show(entry)}`)
  })
}

function memberOf({ block, place }: PlacedBlock): Member {
  return { certificate: certificateAt(block, place), place }
}

function nobody(): ChainError {
  return new ChainError(
    'ERR_TLACACOCA_CHAIN_NO_AUTHORITIES',
    'there is no authority to trust; add the certificate of one, or do not ask for a trust store',
  )
}

/** A program can hand in anything. What is, or carries, a private key gets the error that says so. */
function requireNoPrivateKey(value: unknown): void {
  if (!carriesPrivateKey(value)) return
  throw new ExtraneousPrivateKeyError(
    'a private key was handed in among the authorities to trust; whoever is trusted keeps theirs, so pass certificates alone',
  )
}

function carriesPrivateKey(value: unknown): boolean {
  if (typeof value === 'string') return PRIVATE_KEY.test(value)
  if (value instanceof Uint8Array) return PRIVATE_KEY.test(textOf(value))
  if (typeof value !== 'object' || value === null) return false
  // A key object of Node or of WebCrypto; a chain of ours, which has its key with it; what generators here and elsewhere return.
  if ('type' in value && value.type === 'private') return true
  return ['leaf', 'key', 'privateKey', 'privateKeyPem'].some((name) => name in value)
}

const PRIVATE_KEY = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/
