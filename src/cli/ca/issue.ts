// Certificates: signed, listed, taken back, and the list of those that were.

import type { Command } from 'commander'
import type { IssuedCertificate } from '../../authority/hooks.ts'
import type { IssuedRow, IssuedStatus } from '../../authority/issued-store.ts'
import type { SqliteIssuedStore } from '../../authority/sqlite-issued-store.ts'
import { CertificateRequest } from '../../certificate/certificate-request.ts'
import type { RevocationReason } from '../../certificate/revocation-checker.ts'
import { writeFileAtomic } from '../../internal/atomic-file.ts'
import { escapeText } from '../../logging/safe-text.ts'
import type { Cli, Outcome } from '../command.ts'
import { ExitCode, UsageError } from '../exit-code.ts'
import { inFile, readInput } from '../input.ts'
import { type CliIo, requireYes, styled } from '../io.ts'
import { counted, day, fromUser, millisecondsOf, readCount, readDate, readDuration } from '../options.ts'
import { facts, longTable } from '../table.ts'
import { readNames, readSubject } from './names.ts'
import { openAuthority, openIssued } from './open.ts'

interface SignOptions {
  readonly profile?: string
  readonly days?: string
  readonly validity?: string
  readonly subject?: readonly string[]
  readonly san?: readonly string[]
  readonly clientHash?: string
  readonly intermediate?: boolean
  readonly pathLength?: string
  readonly chain?: boolean
  readonly out?: string
  readonly overwrite?: boolean
}

/** `ca sign`. */
export async function sign({ io }: Cli, path: string, options: SignOptions, command: Command): Promise<Outcome> {
  const { out, chain = false, overwrite = false } = options
  // Before anybody types a passphrase.
  const request = await inFile(path, async () => CertificateRequest.from(await readInput(io, path)))
  await using authority = await openAuthority(io, command)
  const issued = await fromUser(() => {
    return options.intermediate === true
      ? authority.signIntermediate({ request, ...intermediateOf(options) })
      : authority.sign({ request, ...wishesOf(options) })
  })
  const json = issuedJson(issued)
  const pem = chain ? issued.chainPem : issued.certificatePem
  if (out === undefined || out === '-') return { json, text: pem.trimEnd() }
  // Whoever has the certificate has no secret.
  await writeFileAtomic(out, pem, { mode: 0o644, overwrite })
  return { json: { ...json, file: out }, text: `${issuedText(io, issued)}\nIt is in ${out}.` }
}

function wishesOf({ profile, clientHash, subject = [], san = [], pathLength, ...dates }: SignOptions) {
  if (pathLength !== undefined) throw new UsageError('--path-length is for authorities: say --intermediate')
  return {
    ...(profile === undefined ? {} : { profile }),
    ...(clientHash === undefined ? {} : { clientHash }),
    ...(subject.length === 0 ? {} : { subject: readSubject(subject) }),
    ...(san.length === 0 ? {} : { subjectAltNames: readNames(san) }),
    ...validityOf(dates),
  }
}

function intermediateOf({ profile, clientHash, subject = [], san = [], pathLength, ...dates }: SignOptions) {
  if (profile !== undefined || clientHash !== undefined || san.length > 0) {
    throw new UsageError('--intermediate goes with --subject, --path-length and how long, and nothing else')
  }
  return {
    subject: readSubject(subject),
    ...(pathLength === undefined ? {} : { pathLength: readCount('--path-length', pathLength, { from: 0 }) }),
    ...validityOf(dates),
  }
}

function validityOf({ days, validity }: Pick<SignOptions, 'days' | 'validity'>) {
  if (days !== undefined && validity !== undefined) throw new UsageError('--days and --validity exclude each other')
  if (days !== undefined) return { validity: `${readCount('--days', days)}d` }
  return validity === undefined ? {} : { validity: readDuration('--validity', validity) }
}

function issuedJson(issued: IssuedCertificate) {
  const { serialNumber, profile, certificate, certificatePem, chainPem, renewAfter } = issued
  return {
    serialNumber,
    profile,
    subject: String(certificate.subject),
    fingerprint: certificate.fingerprint,
    notBefore: certificate.notBefore.toISOString(),
    notAfter: certificate.notAfter.toISOString(),
    renewAfter: renewAfter.toISOString(),
    certificatePem,
    chainPem,
  }
}

function issuedText(io: CliIo, { serialNumber, profile, certificate, renewAfter }: IssuedCertificate): string {
  return facts(io, [
    ['serial number', serialNumber],
    ['profile', profile],
    ['subject', escapeText(String(certificate.subject))],
    ['valid until', `${day(certificate.notAfter)}, to be renewed from ${day(renewAfter)} on`],
    ['fingerprint', certificate.fingerprint],
  ])
}

export const STATES = ['issued', 'held', 'revoked', 'pending'] as const satisfies readonly IssuedStatus[]

interface ListOptions {
  readonly state?: IssuedStatus
  readonly profile?: string
  readonly clientHash?: string
  readonly expiringWithin?: string
}

/** `ca list`. Row by row, because there may be any number. */
export async function list({ io }: Cli, options: ListOptions, command: Command): Promise<Outcome> {
  const { state, profile, clientHash, expiringWithin } = options
  const now = io.clock()
  const filter = {
    ...(state === undefined ? {} : { status: state }),
    ...(profile === undefined ? {} : { profile }),
    ...(clientHash === undefined ? {} : { clientHash }),
    ...(expiringWithin === undefined
      ? {}
      : { expiresBy: now + millisecondsOf('--expiring-within', expiringWithin, now) }),
  }
  const store = await openIssued(io, command)
  const rows = closing(store, store.list(filter))
  return { json: rowsAsJson(rows), text: rowsAsText(io, rows) }
}

/** Values out of a store, which is closed at their end. */
export async function* closing<T>(store: SqliteIssuedStore, values: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* values
  } finally {
    store.close()
  }
}

async function* rowsAsJson(rows: AsyncIterable<IssuedRow>) {
  for await (const row of rows) yield rowJson(row)
}

async function* rowsAsText(io: CliIo, rows: AsyncIterable<IssuedRow>): AsyncGenerator<string> {
  let isEmpty = true
  const cells = async function* () {
    for await (const row of rows) {
      isEmpty = false
      const state = row.revocation === null ? row.status : `revoked: ${row.revocation.reason}`
      yield [row.serial, state, row.profile, day(new Date(row.notAfter)), escapeText(row.subject)]
    }
  }
  yield* longTable(io, ['SERIAL NUMBER', 'STATE', 'PROFILE', 'EXPIRES', 'SUBJECT'], cells())
  if (isEmpty) yield 'There are no such certificates.'
}

function rowJson(row: IssuedRow) {
  const { serial, status, profile, subject, clientHash, publicKey, renewedFrom, requestedBy, revocation } = row
  return {
    serialNumber: serial,
    state: status,
    since: isoOf(row.statusAt),
    profile,
    subject,
    clientHash,
    publicKey,
    notBefore: isoOf(row.notBefore),
    notAfter: isoOf(row.notAfter),
    renewedFrom,
    requestedBy,
    fingerprint: row.certificate?.fingerprint ?? null,
    revocation:
      revocation === null
        ? null
        : {
            at: isoOf(revocation.at),
            reason: revocation.reason,
            invalidityDate: revocation.invalidityDate === null ? null : isoOf(revocation.invalidityDate),
          },
  }
}

function isoOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}

export const REASONS = [
  'unspecified',
  'key_compromise',
  'affiliation_changed',
  'superseded',
  'cessation_of_operation',
  'privilege_withdrawn',
] as const satisfies readonly RevocationReason[]

interface RevokeOptions {
  readonly reason: RevocationReason
  readonly by?: string
  readonly since?: string
  readonly force?: boolean
}

/** `ca revoke`. It is final, so somebody is asked. */
export async function revoke({ io }: Cli, serial: string, options: RevokeOptions, command: Command): Promise<Outcome> {
  const { reason, by, since, force = false } = options
  const invalidityDate = since === undefined ? {} : { invalidityDate: readDate('--since', since) }
  await using authority = await openAuthority(io, command)
  const row = await authority.get(serial.toLowerCase().replaceAll(':', ''))
  const what = row === null ? '' : ` of ${row.subject}, valid until ${day(new Date(row.notAfter))}`
  const others = reason === 'key_compromise' ? ' Every other certificate for its key is revoked too.' : ''
  // If there is no such certificate, nobody need be asked to be told so.
  if (row !== null) await requireYes(io, `Revoke the certificate ${serial}${what}, for good?${others}`, force)
  const revoked = await fromUser(() =>
    authority.revoke(serial, { reason, ...(by === undefined ? {} : { by }), ...invalidityDate }),
  )
  const json = { revoked, reason }
  if (revoked.length === 0) return { json, text: 'It was revoked before.', exitCode: ExitCode.no }
  return {
    json,
    text: `${counted(revoked.length, 'certificate is', 'certificates are')} revoked: ${revoked.join(', ')}`,
  }
}

/** `ca hold` and `ca release`. */
export function holdOrRelease(verb: 'hold' | 'release') {
  return async ({ io }: Cli, serial: string, { by }: { readonly by?: string }, command: Command): Promise<Outcome> => {
    await using authority = await openAuthority(io, command)
    await authority[verb](serial, by === undefined ? {} : { by })
    const text = verb === 'hold' ? 'is not valid for now' : 'is valid again'
    return { json: { serialNumber: serial, state: verb === 'hold' ? 'held' : 'issued' }, text: `${serial} ${text}.` }
  }
}

interface CrlOptions {
  readonly out?: string
  readonly der?: boolean
  readonly fresh?: boolean
  readonly overwrite?: boolean
}

/** `ca crl`. */
export async function crl({ io }: Cli, options: CrlOptions, command: Command): Promise<Outcome> {
  const { out, der = false, fresh = false, overwrite = false } = options
  const isPrinted = out === undefined || out === '-'
  if (der && isPrinted) throw new UsageError('--der is for a file: say --out')
  await using authority = await openAuthority(io, command)
  const made = await authority.crl({ force: fresh })
  const pem = made.toPem()
  const json = {
    number: String(made.number),
    thisUpdate: made.thisUpdate.toISOString(),
    nextUpdate: made.nextUpdate.toISOString(),
    pem,
  }
  if (isPrinted) return { json, text: pem.trimEnd() }
  await writeFileAtomic(out, der ? made.der : pem, { mode: 0o644, overwrite })
  const next = styled(io, 'bold', made.nextUpdate.toISOString())
  return {
    json: { ...json, file: out },
    text: `List ${made.number} is in ${out}. There must be another one by ${next}.`,
  }
}
