import { join } from 'node:path'
import { type Command, Option } from 'commander'
import { KEY_KINDS, type KeyKind } from '../../certificate/generate-options.ts'
import { type GenerateOptions, generateSelfSignedCertificate, saveCertificateFiles } from '../../certificate/index.ts'
import type { Passphrase } from '../../certificate/passphrase.ts'
import { normalizeHost } from '../../names/host.ts'
import type { Cli, Outcome } from '../command.ts'
import { UsageError } from '../exit-code.ts'
import type { CliIo } from '../io.ts'
import { fromUser, readCount } from '../options.ts'
import { type PassphraseOptions, readPassphraseFor, withPassphrase } from '../passphrase.ts'
import { facts } from '../table.ts'
import { dataOf, namesOf } from './facts.ts'

interface NewOptions extends PassphraseOptions {
  readonly out?: string
  readonly cert?: string
  readonly key?: string
  readonly keyType?: KeyKind
  readonly days?: string
  readonly mailbox?: string
  readonly name?: string
  readonly organization?: string
  readonly encrypt?: boolean
  readonly overwrite?: boolean
}

/** `cert new` */
export function addNew(cli: Cli, group: Command): void {
  const command = group
    .command('new')
    .summary('make a key and a self-signed certificate')
    .description(
      'Makes a key and a self-signed certificate for a server, in cert.pem and key.pem. Nothing that exists is overwritten.',
    )
    .argument('[host...]', 'what it is for: names, wildcards such as *.example.org, IP addresses')
    .option('--out <folder>', 'where cert.pem and key.pem go (default: here)')
    .option('--cert <file>', 'the file for the certificate, instead of --out')
    .option('--key <file>', 'the file for the private key, instead of --out')
    .addOption(new Option('--key-type <type>', 'the kind of key (default: P-256)').choices(KEY_KINDS))
    .option('--days <number>', 'for how many days it is valid (default: 365)')
    .option('--mailbox <user@host>', 'for a mailbox of Misfin, instead of hosts')
    .option('--name <text>', 'the common name (default: the host): of a mailbox, its owner')
    .option('--organization <text>', 'the organization')
    .option('--encrypt', 'encrypt the private key under a passphrase, which --passphrase-file implies')
    .option('--overwrite', 'replace the files if they exist')
  withPassphrase(command).action(cli.action(make))
}

async function make({ io }: Cli, hosts: readonly string[], options: NewOptions): Promise<Outcome> {
  const { certFile, keyFile } = pathsOf(options)
  const wanted = namesIn(hosts, options)
  const passphrase = await newPassphrase(io, options)
  const made = await fromUser(() =>
    generateSelfSignedCertificate({
      ...wanted,
      ...(options.organization === undefined ? {} : { organization: options.organization }),
      ...(options.keyType === undefined ? {} : { key: options.keyType }),
      ...(options.days === undefined ? {} : { validDays: readCount('--days', options.days) }),
      ...(passphrase === null ? {} : { passphrase }),
      clock: io.clock,
    }),
  )
  await saveCertificateFiles(made, { certFile, keyFile, overwrite: options.overwrite === true })
  const { certificate } = made
  const at = new Date(io.clock())
  return {
    json: { certFile, keyFile, encrypted: passphrase !== null, certificate: dataOf(certificate, at) },
    text: facts(io, [
      ['Certificate', certFile],
      ['Private key', `${keyFile} (${passphrase === null ? 'not encrypted' : 'encrypted'}, for your eyes only)`],
      ['For', options.mailbox ?? namesOf(certificate).join(', ')],
      ['Valid until', certificate.notAfter.toISOString()],
      ['Fingerprint', certificate.fingerprint],
    ]),
  }
}

function pathsOf({ out, cert, key }: NewOptions): { certFile: string; keyFile: string } {
  if (cert === undefined && key === undefined) {
    const folder = out ?? '.'
    return { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
  }
  if (out !== undefined) throw new UsageError('--out excludes --cert and --key')
  if (cert === undefined || key === undefined) throw new UsageError('--cert and --key belong together')
  return { certFile: cert, keyFile: key }
}

function namesIn(hosts: readonly string[], { mailbox, name }: NewOptions): GenerateOptions {
  const commonName = name === undefined ? {} : { commonName: name }
  if (mailbox === undefined) {
    const [hostname, ...subjectAltNames] = hosts
    if (hostname === undefined) throw new UsageError('say for which host, or for which --mailbox')
    for (const host of hosts) normalizeHost(host.replace(/^\*\./, ''))
    return { hostname, subjectAltNames, ...commonName }
  }
  if (hosts.length > 0) throw new UsageError('--mailbox names the host, so there are no others')
  const at = mailbox.lastIndexOf('@')
  const [userId, hostname] = [mailbox.slice(0, Math.max(at, 0)), mailbox.slice(at + 1)]
  if (userId === '' || hostname === '') throw new UsageError('--mailbox expected user@host')
  // A mailbox receives as a server and sends as a client.
  return { hostname, userId, commonName: name ?? userId, usage: 'both' }
}

async function newPassphrase(io: CliIo, options: NewOptions): Promise<Passphrase | null> {
  if (options.encrypt !== true && options.passphraseFile === undefined) return null
  const passphrase = await readPassphraseFor(io, 'the private key', options, true)
  if (passphrase === null) throw new UsageError('--encrypt needs a passphrase, and there is none')
  return passphrase
}
