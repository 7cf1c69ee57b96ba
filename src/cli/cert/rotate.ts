import { dirname, join } from 'node:path'
import { type Command, Option } from 'commander'
import { KEY_KINDS, type KeyKind } from '../../certificate/generate-options.ts'
import { rotateCertificate, saveCertificateFiles } from '../../certificate/index.ts'
import type { Cli, Outcome } from '../command.ts'
import { fromUser, readCount } from '../options.ts'
import { type PassphraseOptions, withPassphrase } from '../passphrase.ts'
import { readPrivateKey } from '../private-key.ts'
import { facts } from '../table.ts'
import { dataOf } from './facts.ts'
import { readOwn } from './read.ts'

interface RotateOptions extends PassphraseOptions {
  readonly key: string
  readonly keyType?: KeyKind
  readonly days?: string
  readonly out?: string
  readonly overwrite?: boolean
}

/** `cert rotate` */
export function addRotate(cli: Cli, group: Command): void {
  const command = group
    .command('rotate')
    .summary('make a new key, and let the old one vouch for it')
    .description(
      'Makes a new key for a server, and a certificate for it that the old key signs, in next-cert.pem and next-key.pem. Clients that know this move their trust from the old one to the new one; the others will ask.',
    )
    .argument('<file>', 'the file with the certificate')
    .requiredOption('--key <file>', 'the file with its private key')
    .option('--out <folder>', 'where next-cert.pem and next-key.pem go (default: beside the certificate)')
    .addOption(
      new Option('--key-type <type>', 'the kind of the new key (default: that of the old one)').choices(KEY_KINDS),
    )
    .option('--days <number>', 'for how many days from now on it is valid (default: 365)')
    .option('--overwrite', 'replace the files if they exist')
  withPassphrase(command).action(cli.action(rotate))
}

async function rotate({ io }: Cli, path: string, options: RotateOptions): Promise<Outcome> {
  const { certificate: old } = await readOwn(io, path)
  const { bytes, passphrase } = await readPrivateKey(io, options.key, options)
  const rotated = await fromUser(() =>
    rotateCertificate({
      certificate: old,
      privateKey: bytes,
      passphrase,
      ...(options.keyType === undefined ? {} : { key: options.keyType }),
      ...(options.days === undefined ? {} : { validDays: readCount('--days', options.days) }),
      clock: io.clock,
    }),
  )
  const folder = options.out ?? dirname(path)
  const certFile = join(folder, 'next-cert.pem')
  const keyFile = join(folder, 'next-key.pem')
  const { chainPem: certificatePem, privateKeyPem } = rotated
  const overwrite = options.overwrite === true
  await saveCertificateFiles({ certificatePem, privateKeyPem }, { certFile, keyFile, overwrite })
  const encrypted = passphrase !== undefined
  return {
    json: {
      certFile,
      keyFile,
      encrypted,
      formerFingerprint: old.fingerprint,
      certificate: dataOf(rotated.certificate, new Date(io.clock())),
    },
    text: `${facts(io, [
      ['Certificate', `${certFile} (the new one, and after it the old one)`],
      ['Private key', `${keyFile} (${encrypted ? 'encrypted as the old one' : 'not encrypted'}, for your eyes only)`],
      ['Valid until', rotated.certificate.notAfter.toISOString()],
      ['Fingerprint', rotated.fingerprint],
      ['Before', old.fingerprint],
    ])}\nTo look at them again: tlacacoca cert check ${certFile} --key ${keyFile} --chain\nLet the server use both files from now on. Keep the old key until then, and do away with it after that.`,
  }
}
