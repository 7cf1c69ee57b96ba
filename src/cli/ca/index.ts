// `tlacacoca ca …`: a certificate authority of one's own.

import { type Command, Option } from 'commander'
import { type Cli, newCommand } from '../command.ts'
import { collect } from '../options.ts'
import { audit } from './audit.ts'
import { crl, holdOrRelease, list, REASONS, revoke, STATES, sign } from './issue.ts'
import { adopt, init, KEY_KINDS } from './make.ts'
import { DIRECTORY_VARIABLE } from './open.ts'
import { serve } from './serve.ts'

/** `tlacacoca ca …` */
export function caCommands(cli: Cli): Command {
  const group = newCommand(cli, 'ca')
    .description('be a certificate authority: sign, list and revoke certificates')
    .option('--directory <directory>', `the directory of the authority (else $${DIRECTORY_VARIABLE}, else this one)`)
    .option(
      '--passphrase-file <file>',
      'read the passphrase of its key from a file (else $CA_PASSPHRASE_FILE, else $CA_PASSPHRASE, else ask)',
    )
    .addHelpText('after', EXAMPLES)
  for (const define of [defineMaking, defineSigning, defineLooking, defineRevoking, defineServing]) define(cli, group)
  return group
}

function defineMaking(cli: Cli, group: Command): void {
  group
    .command('init')
    .description('Makes an authority in a directory: a key, encrypted, and a certificate. Nothing is ever replaced.')
    .argument('<directory>', 'where; it is created if it is not there')
    .addOption(
      new Option('--subject <field>', 'a field of its name, such as CN=ca.net; may be given several times')
        .argParser(collect)
        .makeOptionMandatory(),
    )
    .option('--validity <duration>', 'for how long, such as 10y (default: 10y)')
    .addOption(new Option('--key <kind>', 'the kind of key (default: P-256)').choices(KEY_KINDS))
    .option('--path-length <number>', 'how many further authorities may stand below it (default: 1)')
    .option('--dangerously-unencrypted', 'leave the key as it is: whoever gets at its file has the key')
    .action(cli.action(init))
  group
    .command('adopt')
    .description(
      'Opens an authority that another program made, such as ssl_api, and says what it is. Its files stay as they are.',
    )
    .argument('<directory>', 'the directory with ca.cert.pem and ca.private_key.pem')
    .action(cli.action(adopt))
}

function defineSigning(cli: Cli, group: Command): void {
  group
    .command('sign')
    .description('Signs a request, and prints the certificate. Of the request nothing is taken over but its key.')
    .argument('<request>', 'the file with the request, PEM or DER; - for the standard input')
    .option(
      '--profile <name>',
      'what it is for: client-identity (the default), server, misfin-mailbox, or one of --config',
    )
    .option('--days <number>', 'for how many days (default: as the profile says)')
    .option('--validity <duration>', 'or for how long, such as 1y or 12h')
    .addOption(new Option('--subject <field>', 'a field of the name, such as CN=Ana; several times').argParser(collect))
    .addOption(
      new Option('--san <name>', 'a further name: dns:…, ip:…, email:… or uri:…; several times').argParser(collect),
    )
    .option('--client-hash <word>', 'who asks, for the hooks and for the store')
    .option('--intermediate', 'sign an authority below this one')
    .option('--path-length <number>', 'how many further ones may stand below that (default: 0)')
    .option('--chain', 'with the authorities above it, as servers load it')
    .option('--out <file>', 'write it to a file')
    .option('--overwrite', 'replace the file if it is there')
    .addOption(configOption())
    .action(cli.action(sign))
}

function defineLooking(cli: Cli, group: Command): void {
  group
    .command('list')
    .description('Lists what was issued, in that order. It needs no passphrase.')
    .addOption(new Option('--state <state>', 'only those').choices(STATES))
    .option('--profile <name>', 'only those')
    .option('--client-hash <word>', 'only those')
    .option('--expiring-within <duration>', 'only those that end within this time, such as 30d, or have ended')
    .action(cli.action(list))
  group
    .command('audit')
    .description(
      'Verifies the record of what the authority did. Ends with 1 if it was changed. It needs no passphrase.',
    )
    .option('--head <hash>', 'the hash that was kept from the last time, which must be in the record')
    .option('--events', 'list the record itself instead')
    .action(cli.action(audit))
}

function defineRevoking(cli: Cli, group: Command): void {
  group
    .command('revoke')
    .description('Takes a certificate back, for good. You are asked.')
    .argument('<serial>', 'its serial number, as list, openssl or a browser shows it')
    .addOption(new Option('--reason <reason>', 'why').choices(REASONS).default('unspecified'))
    .option('--by <name>', 'who does it, for the record')
    .option('--since <date>', 'since when the key is in other hands, if that is known')
    .addOption(new Option('--force', 'do not ask'))
    .action(cli.action(revoke))
  for (const verb of ['hold', 'release'] as const) {
    group
      .command(verb)
      .description(verb === 'hold' ? 'Takes a certificate back for now.' : 'Gives a certificate free that was held.')
      .argument('<serial>', 'its serial number')
      .option('--by <name>', 'who does it, for the record')
      .action(cli.action(holdOrRelease(verb)))
  }
  group
    .command('crl')
    .description(
      'Prints the current revocation list. A new one is made if something has changed, or half of its time is over.',
    )
    .option('--out <file>', 'write it to a file')
    .option('--der', 'as DER, which programs fetch, instead of PEM')
    .option('--fresh', 'make a new one in any case')
    .option('--overwrite', 'replace the file if it is there')
    .action(cli.action(crl))
}

function defineServing(cli: Cli, group: Command): void {
  group
    .command('serve')
    .description('Serves the authority over HTTP until it is stopped: PUT /api/csr/<client>, GET /ca.pem, GET /crl.')
    .option('--port <number>', 'the port; 0 for any that is free', '8080')
    .option('--host <address>', 'the address to listen on', '127.0.0.1')
    .option('--socket <path>', 'listen on a Unix socket instead')
    .option('--tls-cert <file>', 'speak TLS by this certificate, so that POST /renew and /rekey work')
    .option('--tls-key <file>', 'and this key')
    .option('--profile <name>', 'what is signed by PUT /api/csr (default: that of --config, or client-identity)')
    .addOption(
      new Option(
        '--trusted-proxy <range>',
        'a proxy whose X-Forwarded-For counts: an address, a range, or unix; several times',
      ).argParser(collect),
    )
    .option('--forwarded', 'those proxies write Forwarded (RFC 7239) instead')
    .option('--quiet', 'print no line for each request')
    .addOption(configOption())
    .option('--dangerously-sign-every-request', 'sign for everybody who asks, without hooks')
    .addHelpText('after', CONFIG_HELP)
    .action(
      cli.action(serve, {
        endsItself: true,
      }),
    )
}

function configOption(): Option {
  return new Option('--config <module>', 'an ES module with hooks, profiles and serial numbers')
}

const CONFIG_HELP = `
The module of --config exports a function that gets the library, or an object with the same parts:

  export default ({ SigningHooks, defineProfile }) => ({
    hooks: (context) => new (class extends SigningHooks {
      authorize() {
        return this.clientHash === '5f2b9c0d3e' ? '90d' : undefined // undecided is no
      }
    })(context),
    profiles: [], // by defineProfile
    // defaultProfile, serialNumberGenerator, crlValidityMs, onBoot
  })`

const EXAMPLES = `
Examples:
  tlacacoca ca init /var/lib/ca --subject O='The club' --subject CN='Club authority'
  export CA_DIRECTORY=/var/lib/ca CA_PASSPHRASE_FILE=/etc/ca/passphrase
  tlacacoca ca sign ana.csr --subject CN=Ana --days 90 --out ana.pem
  tlacacoca ca list --expiring-within 30d
  tlacacoca ca revoke 4a:f3:… --reason superseded
  tlacacoca ca crl --der --out /srv/www/club.crl --overwrite
  tlacacoca ca serve --config my-ca.mjs --socket /run/ca/ca.sock --trusted-proxy unix
  tlacacoca ca audit --head 8f3c…`
