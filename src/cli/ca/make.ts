// An authority comes to be: a new one, or one that is there.

import type { Command } from 'commander'
import type { CertificateAuthority } from '../../authority/certificate-authority.ts'
import { createAuthorityDirectory } from '../../authority/identity-directory.ts'
import type { AuthorityKeyKind } from '../../authority/identity-directory-create.ts'
import type { Certificate } from '../../certificate/certificate.ts'
import { escapeText } from '../../logging/safe-text.ts'
import type { Cli, Outcome } from '../command.ts'
import type { CliIo } from '../io.ts'
import { counted, day, readCount, readDuration } from '../options.ts'
import { facts } from '../table.ts'
import { readSubject } from './names.ts'
import { openAuthority, passphraseOf, sayingHowToUnlock, warn } from './open.ts'

export const KEY_KINDS = ['P-256', 'P-384', 'RSA-3072', 'RSA-4096'] as const satisfies readonly AuthorityKeyKind[]

interface InitOptions {
  readonly subject: readonly string[]
  readonly validity?: string
  readonly key?: AuthorityKeyKind
  readonly pathLength?: string
  readonly dangerouslyUnencrypted?: boolean
}

/** `ca init`. */
export async function init({ io }: Cli, directory: string, options: InitOptions, command: Command): Promise<Outcome> {
  const { subject, validity, key, pathLength, dangerouslyUnencrypted = false } = options
  const identity = await sayingHowToUnlock(() =>
    createAuthorityDirectory(directory, {
      subject: readSubject(subject),
      clock: io.clock,
      ...(validity === undefined ? {} : { validity: readDuration('--validity', validity) }),
      ...(key === undefined ? {} : { key }),
      ...(pathLength === undefined ? {} : { pathLength: readCount('--path-length', pathLength, { from: 0 }) }),
      ...(dangerouslyUnencrypted ? { dangerouslyUnencrypted } : {}),
      passphrase: passphraseOf(command),
    }),
  )
  for (const warning of identity.warnings) warn(io, warning)
  return describe(io, directory, identity)
}

/** `ca adopt`. Nothing in the directory is changed; what will be issued is kept in a new file beside. */
export async function adopt({ io }: Cli, directory: string, _options: object, command: Command): Promise<Outcome> {
  await using authority = await openAuthority(io, command, {}, directory)
  return describe(io, directory, authority)
}

function describe(
  io: CliIo,
  directory: string,
  { certificate, chain }: Pick<CertificateAuthority, 'certificate' | 'chain'>,
): Outcome {
  const json = {
    directory,
    subject: String(certificate.subject),
    fingerprint: certificate.fingerprint,
    publicKey: certificate.publicKeyFingerprint,
    key: keyOf(certificate),
    notBefore: certificate.notBefore.toISOString(),
    notAfter: certificate.notAfter.toISOString(),
    pathLength: certificate.pathLength,
    above: chain.filter((each) => !each.equals(certificate)).map((each) => String(each.subject)),
  }
  const text = facts(io, [
    ['authority', escapeText(json.subject)],
    ['directory', directory],
    ['fingerprint', json.fingerprint],
    ['key', json.key],
    ['valid', `from ${day(certificate.notBefore)} to ${day(certificate.notAfter)}`],
    [
      'below it',
      json.pathLength === null
        ? 'any number of authorities'
        : counted(json.pathLength, 'further authority', 'further authorities'),
    ],
    ['above it', json.above.length === 0 ? null : escapeText(json.above.join(', '))],
  ])
  return { json, text }
}

function keyOf({ keyType, keyCurve, keySize }: Certificate): string {
  return keyType === 'rsa' ? `RSA-${keySize}` : (keyCurve ?? keyType)
}
