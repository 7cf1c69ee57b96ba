import { type Command, Option } from 'commander'
import { STYLES } from '../../certificate/fingerprint.ts'
import {
  type Certificate,
  drawFingerprint,
  type Fingerprint,
  type FingerprintStyle,
  fingerprintToQrText,
  fingerprintToTlsaRecord,
  fingerprintToWords,
  formatFingerprint,
  parseEndpoint,
} from '../../certificate/index.ts'
import type { Cli, Outcome } from '../command.ts'
import { UsageError } from '../exit-code.ts'
import { fromUser } from '../options.ts'
import { spellingsOf } from './facts.ts'
import { readOwn } from './read.ts'

interface FingerprintOptions {
  readonly style?: FingerprintStyle
  readonly words?: boolean
  readonly drawing?: boolean
  readonly tlsa?: boolean
  readonly qr?: boolean
  readonly publicKey?: boolean
  readonly sha512?: boolean
  readonly host?: string
}

/** `cert fingerprint` */
export function addFingerprint(cli: Cli, group: Command): void {
  group
    .command('fingerprint')
    .summary('print the fingerprint of a certificate')
    .description('Prints the fingerprint of a certificate, to compare it, to read it out, or to publish it.')
    .argument('<file>', 'the file with the certificate, or - for the standard input; of several, the first one counts')
    .addOption(new Option('--style <style>', 'how it is spelled (default: canonical)').choices(STYLES))
    .addOption(new Option('--words', 'in words, to be read out').conflicts(['style', 'drawing', 'tlsa', 'qr']))
    .addOption(new Option('--drawing', 'as a drawing, like OpenSSH').conflicts(['style', 'tlsa', 'qr']))
    .addOption(new Option('--tlsa', 'as a TLSA record for the DNS').conflicts(['style', 'qr']))
    .addOption(new Option('--qr', 'as the text of a QR code').conflicts(['style']))
    .option('--public-key', 'of the public key, which stays the same when the certificate is renewed')
    .addOption(new Option('--sha512', 'by SHA-512 instead of SHA-256').conflicts(['publicKey', 'words', 'tlsa', 'qr']))
    .option(
      '--host <host[:port]>',
      'for --tlsa and --qr: which server it is (default: as in the certificate, port 1965)',
    )
    .action(cli.action(fingerprint))
}

async function fingerprint({ io }: Cli, path: string, options: FingerprintOptions): Promise<Outcome> {
  const { certificate } = await readOwn(io, path)
  const chosen =
    options.publicKey === true
      ? certificate.publicKeyFingerprint
      : options.sha512 === true
        ? certificate.sha512Fingerprint
        : certificate.fingerprint
  const text = await fromUser(() => written(chosen, certificate, options))
  return { json: { fingerprint: chosen, text, spellings: spellingsOf(chosen) }, text }
}

function written(fingerprint: Fingerprint, certificate: Certificate, options: FingerprintOptions): string {
  const endpoint = () => parseEndpoint(options.host ?? hostOf(certificate), { defaultPort: 1965 })
  if (options.words === true) return fingerprintToWords(fingerprint)
  if (options.drawing === true) return drawFingerprint(fingerprint)
  if (options.tlsa === true) return fingerprintToTlsaRecord(endpoint(), fingerprint)
  if (options.qr === true) return fingerprintToQrText(endpoint(), fingerprint)
  return formatFingerprint(fingerprint, options.style ?? 'canonical')
}

function hostOf({ subjectAltNames: { dns, ip } }: Certificate): string {
  const host = [...dns, ...ip].find((name) => !name.startsWith('*'))
  if (host === undefined) throw new UsageError('the certificate names no host: say --host')
  return host
}
