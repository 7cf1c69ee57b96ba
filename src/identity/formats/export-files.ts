// What is the same in every export: which identities, the texts of their parts, and the files that they go into.

import { KeyObject } from 'node:crypto'
import { Certificate } from '../../certificate/certificate.ts'
import { formatPem } from '../../certificate/pem.ts'
import { exportPkcs8, matchesCertificate, publicHalf } from '../../certificate/private-key.ts'
import { PrivateKeyError } from '../../errors.ts'
import { requireList, requireOptions, requireString, show } from '../../internal/arguments.ts'
import type { NewFile } from '../../internal/atomic-file-set.ts'
import { type IdentityScope, pathScope } from '../wallet/scope.ts'
import { MAX_STRING_BYTES } from './idents-lgr.ts'
import type { ImportProblem } from './imported-identity.ts'

/** An identity for another program. What `readIdentities` and `IdentityWallet.export` give is such. */
export interface ExportableIdentity {
  readonly certificate: Certificate
  /** The certificates above it. Default: none. */
  readonly chain?: readonly Certificate[]
  /** Must be that of the certificate. */
  readonly privateKey: KeyObject
  /** What its user calls it. Programs without names for identities do not get it. */
  readonly name?: string | null
  /** What its user has written about it. Only some programs have a place for that. */
  readonly notes?: string | null
  /** Where it is shown: URLs, each for its path and what is below. Default: nowhere. */
  readonly scopes?: readonly string[]
  /** Looked at by nobody: what is in a file is not temporary any more. */
  readonly temporary?: boolean
}

/** An identity that has been looked at. */
export interface Outgoing {
  readonly certificate: Certificate
  readonly chain: readonly Certificate[]
  readonly privateKey: KeyObject
  readonly name: string | null
  readonly notes: string | null
  readonly scopes: readonly IdentityScope[]
}

/** The files to write, and what the other program will not know. */
export interface ExportPlan {
  readonly files: readonly NewFile[]
  readonly problems: readonly ImportProblem[]
}

/** Checks what somebody hands in, and takes each identity once. */
export function readOutgoing(value: Iterable<ExportableIdentity>): Outgoing[] {
  requireList('identities', value)
  const identities = [...value].map(readOne)
  return [...new Map(identities.map((each) => [each.certificate.fingerprint, each])).values()]
}

function readOne(value: ExportableIdentity, index: number): Outgoing {
  const name = `identities[${index}]`
  requireOptions(name, value, KNOWN)
  const { certificate, chain = [], privateKey, name: title = null, notes = null, scopes = [] } = value
  for (const each of [certificate, ...requireEach(`${name}.chain`, chain)]) {
    if (!(each instanceof Certificate)) throw new TypeError(`"${name}" expected a Certificate, got ${show(each)}`)
  }
  if (!(privateKey instanceof KeyObject) || privateKey.type !== 'private') {
    throw new TypeError(`"${name}.privateKey" expected a private KeyObject`)
  }
  if (title !== null) requireString(`${name}.name`, title)
  if (notes !== null) requireString(`${name}.notes`, notes)
  if (Buffer.byteLength(joinNotes(title, notes)) > MAX_STRING_BYTES) {
    throw new RangeError(`"${name}" expected a name and notes of at most ${MAX_STRING_BYTES} bytes together`)
  }
  publicHalf(privateKey)
  if (!matchesCertificate(privateKey, certificate)) {
    const problem = `the private key does not belong to the certificate ${certificate.fingerprint}`
    throw new PrivateKeyError('ERR_TLACACOCA_KEY_MISMATCH', problem)
  }
  const read = requireEach(`${name}.scopes`, scopes).map((scope) => pathScope(scope))
  return { certificate, chain, privateKey, name: title, notes, scopes: read }
}

const KNOWN = ['certificate', 'chain', 'privateKey', 'name', 'notes', 'scopes', 'temporary']

function requireEach<T>(name: string, value: readonly T[]): readonly T[] {
  if (!Array.isArray(value)) throw new TypeError(`"${name}" expected a list, got ${show(value)}`)
  return value
}

/** For programs that have no names besides those in certificates. */
export function joinNotes(name: string | null, notes: string | null): string {
  return [name, notes].filter((text) => text !== null && text !== '').join('\n')
}

/** The certificate and those above it. */
export function certificateText({ certificate, chain }: Outgoing): string {
  return [certificate, ...chain].map((each) => each.toPem()).join('')
}

export function keyText({ privateKey }: Outgoing): string {
  return formatPem('PRIVATE KEY', exportPkcs8(privateKey))
}

/** What files of the identity are called: the fingerprint in hexadecimal, which no text of anybody's gets into. */
export function fileName({ certificate }: Outgoing): string {
  return certificate.fingerprint.slice('sha256:'.length)
}

/** Others may know a certificate, but need not know which ones somebody has. */
export function privateFile(path: string, contents: string | Uint8Array): NewFile {
  return { path, contents, mode: 0o600 }
}
