// Certificates made up for the contract suite: real ones, of keys that follow from their names.

import { deepStrictEqual } from 'node:assert/strict'
import { createPrivateKey, createPublicKey, hash, type KeyObject } from 'node:crypto'
import { type AuditEvent, verifyAuditTrail } from '../authority/audit.ts'
import type { IssuedRow, IssuedStore, NewIssued, Revocation, StatusChange } from '../authority/issued-store.ts'
import type { Certificate } from '../certificate/certificate.ts'
import { loadCertificateBuilder } from '../certificate/certificate-builder.ts'
import { type Fingerprint, parseFingerprint } from '../certificate/fingerprint.ts'
import { signerFor } from '../certificate/signing.ts'
import { digest } from './contract-identities.ts'

/** In whole seconds, as the times of a certificate are. */
export const START = Date.parse('2030-06-01T12:00:00Z')
/** A second. */
export const SECOND = 1000

/** A certificate before and after it is signed. */
export interface Prepared {
  readonly row: NewIssued
  readonly certificate: Certificate
}

/** What can be said about a certificate. */
export interface PreparedFacts extends Partial<NewIssued> {
  /** The name of its key. Default: the name of the certificate. */
  readonly key?: string
}

/** A certificate of this name. */
export async function prepare(name: string, facts: PreparedFacts = {}): Promise<Prepared> {
  const { key = name, notBefore = START - SECOND, notAfter = START + 100 * SECOND, ...rest } = facts
  const builder = await loadCertificateBuilder()
  const signer = signerFor(privateKey('authority'), spkiOf('authority'))
  const nameOf = (value: string) => builder.name([{ oid: '2.5.4.3', value }])
  const serial = rest.serial ?? serialOf(name)
  const signedPart = builder.signedPart(
    {
      serialNumber: serial,
      issuer: nameOf('authority'),
      subject: nameOf(name),
      validity: { notBefore: new Date(notBefore), notAfter: new Date(notAfter) },
      spki: spkiOf(key),
      extensions: [builder.extensions.basicConstraints({ ca: false })],
    },
    signer,
  )
  return {
    row: {
      serial,
      profile: 'client-identity',
      clientHash: null,
      publicKey: keyOf(key),
      requestSha256: digest(`request ${name}`),
      tbsSha256: hash('sha256', signedPart, 'hex'),
      subject: `CN=${name}`,
      notBefore,
      notAfter,
      renewedFrom: null,
      requestedBy: null,
      createdAt: START,
      ...rest,
    },
    certificate: builder.assemble(signedPart, signer, await signer.sign(signedPart)),
  }
}

/** The serial number of the certificate of this name. */
export function serialOf(name: string): string {
  return `1${digest(`serial ${name}`).slice(0, 31)}`
}

/** The fingerprint of the key of this name. */
export function keyOf(name: string): Fingerprint {
  return parseFingerprint(`spki-sha256:${hash('sha256', spkiOf(name), 'hex')}`)
}

/** Begins the certificate of this name, and leaves it pending. */
export async function begin(store: IssuedStore, name: string, facts: PreparedFacts = {}): Promise<Prepared> {
  const prepared = await prepare(name, facts)
  deepStrictEqual(await store.begin(prepared.row, null), { kind: 'begun' })
  return prepared
}

/** Issues the certificate of this name. */
export async function issue(
  store: IssuedStore,
  name: string,
  facts: PreparedFacts & { readonly notifyAt?: number } = {},
): Promise<Prepared> {
  const { notifyAt = null, ...rest } = facts
  const prepared = await begin(store, name, rest)
  const { kind } = await store.complete(prepared.row.serial, prepared.certificate, START, notifyAt)
  deepStrictEqual(kind, 'completed')
  return prepared
}

/** A revocation of the certificate of this name. */
export function revocation(name: string, facts: Partial<Revocation> = {}): Revocation {
  return {
    serial: serialOf(name),
    at: START,
    reason: 'superseded',
    invalidityDate: null,
    by: null,
    withKey: false,
    ...facts,
  }
}

/** A hold or a release of the certificate of this name. */
export function change(name: string, facts: Partial<StatusChange> = {}): StatusChange {
  return { serial: serialOf(name), at: START, by: null, ...facts }
}

/** What has become of the certificate of this name. */
export async function statusOf(store: IssuedStore, name: string): Promise<string | undefined> {
  return (await store.get(serialOf(name)))?.status
}

/** A row as a plain value: two certificates are equal if their octets are. */
export function plain(row: IssuedRow | null) {
  return row === null ? null : { ...row, certificate: row.certificate?.fingerprint ?? null }
}

export async function allOf<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = []
  for await (const item of items) list.push(item)
  return list
}

/** The audit trail, which must be sound. */
export async function soundTrail(store: IssuedStore): Promise<AuditEvent[]> {
  const events = await allOf(store.auditTrail())
  const head = events.at(-1)?.hash
  const verdict = await verifyAuditTrail(events, head === undefined ? {} : { expectedHead: head })
  deepStrictEqual(verdict, { valid: true, count: events.length, head: head ?? '0'.repeat(64) })
  return events
}

/** Takes and completes a revocation list, and answers the serial numbers on it. */
export async function publishList(store: IssuedStore, at: number = START): Promise<readonly string[]> {
  const { number, entries } = await store.beginCrl(at)
  await store.completeCrl({ number, thisUpdate: at, nextUpdate: at + SECOND, der: Uint8Array.of(0, 255) })
  return entries.map((each) => each.serial)
}

function spkiOf(name: string): Uint8Array {
  return createPublicKey(privateKey(name)).export({ format: 'der', type: 'spki' })
}

/** Ed25519: any 32 octets are a private key. */
function privateKey(name: string): KeyObject {
  const key = Buffer.concat([PKCS8_ED25519, Buffer.from(digest(`key ${name}`), 'hex')])
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' })
}

// RFC 8410 section 7, up to the octets of the key.
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex')
