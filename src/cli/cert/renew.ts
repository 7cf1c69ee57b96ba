import type { Command } from 'commander'
import { renewCertificate, saveCertificateFiles } from '../../certificate/index.ts'
import type { Cli, Outcome } from '../command.ts'
import { requireYes } from '../io.ts'
import { counted, day, fromUser, readCount } from '../options.ts'
import { type PassphraseOptions, withPassphrase } from '../passphrase.ts'
import { readPrivateKey } from '../private-key.ts'
import { facts } from '../table.ts'
import { dataOf } from './facts.ts'
import { readOwn } from './read.ts'

interface RenewOptions extends PassphraseOptions {
  readonly key: string
  readonly days?: string
  readonly out?: string
  readonly overwrite?: boolean
  readonly force?: boolean
}

/** `cert renew` */
export function addRenew(cli: Cli, group: Command): void {
  const command = group
    .command('renew')
    .summary('make the same certificate once more, with later dates')
    .description(
      'Makes a self-signed certificate once more, for the same key and with later dates, and puts it in the place of the old one. Clients that know the key go on trusting the server.',
    )
    .argument('<file>', 'the file with the certificate')
    .requiredOption('--key <file>', 'the file with its private key')
    .option('--days <number>', 'for how many days from now on it is valid (default: 365)')
    .option('--out <file>', 'where the new one goes, if not in the place of the old one')
    .option('--overwrite', 'replace the file of --out if it exists')
    .option('--force', 'replace the old one without asking')
  withPassphrase(command).action(cli.action(renew))
}

async function renew({ io }: Cli, path: string, options: RenewOptions): Promise<Outcome> {
  const { certificate: old, chain } = await readOwn(io, path)
  const others = chain.length - 1
  const { bytes, passphrase } = await readPrivateKey(io, options.key, options)
  const renewed = await fromUser(() =>
    renewCertificate({
      certificate: old,
      privateKey: bytes,
      passphrase,
      ...(options.days === undefined ? {} : { validDays: readCount('--days', options.days) }),
      clock: io.clock,
    }),
  )
  const certFile = options.out ?? path
  if (options.out === undefined) {
    const until = `The new one is valid until ${day(renewed.certificate.notAfter)}.`
    await requireYes(io, `Replace ${path}, which is valid until ${day(old.notAfter)}? ${until}`, options.force === true)
  }
  const overwrite = options.out === undefined || options.overwrite === true
  await saveCertificateFiles({ certificatePem: renewed.certificatePem }, { certFile, overwrite })
  return {
    json: {
      certFile,
      formerFingerprint: old.fingerprint,
      certificate: dataOf(renewed.certificate, new Date(io.clock())),
      leftOut: others,
    },
    text: facts(io, [
      ['Certificate', certFile],
      ['Valid until', renewed.certificate.notAfter.toISOString()],
      ['Fingerprint', renewed.fingerprint],
      ['Before', old.fingerprint],
      ['Left out', others === 0 ? null : `${counted(others, 'other certificate')} of the old file`],
    ]),
  }
}
